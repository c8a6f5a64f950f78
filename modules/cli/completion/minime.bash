# bash completion for minime: source <(minime completion bash)
#
# The line is split at blanks here, because bash itself would split options and sets at = : and @.
# What bash takes for the current word, $2, may be only the end of ours: the proposals lose what
# stands before it. The program is called as it was typed, so its ~ is still a ~.
_minime() {
  local line=${COMP_LINE:0:COMP_POINT} current kept value
  local -a words
  read -r -a words <<< "$line"
  [[ $line == *[[:blank:]] ]] && words+=("")
  current=${words[-1]#[\"\']}
  words[-1]=$current
  kept=${current%"$2"}
  COMPREPLY=()
  while IFS=$'\t' read -r value _; do
    if [[ $value == :files ]]; then
      compopt -o default 2> /dev/null
      COMPREPLY=()
      return
    fi
    [[ $value == "$current"* ]] && COMPREPLY+=("${value#"$kept"}")
  done < <("${1/#\~\//$HOME/}" __complete -- "${words[@]:1}" 2> /dev/null)
}
complete -F _minime minime
