#compdef minime
# zsh completion for minime: source it, or put it into a folder of $fpath as _minime
_minime() {
  local -a lines proposals
  local line value
  lines=("${(@f)$("${(Q)words[1]}" __complete -- "${(@Q)words[2,CURRENT]}" 2> /dev/null)}")
  for line in $lines; do
    if [[ $line == :files ]]; then
      _files
      return
    fi
    value=${line%%$'\t'*}
    [[ -n $value ]] && proposals+=("${value//:/\\:}${line[$#value+1,-1]/$'\t'/:}")
  done
  _describe -V minime proposals
}
if [[ ${funcstack[1]} == _minime ]]; then _minime "$@"; else compdef _minime minime; fi
