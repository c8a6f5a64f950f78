# fish completion for minime: minime completion fish | source
function __minime_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines ($words[1] __complete -- $words[2..-1] "$current" 2> /dev/null)
  if test "$lines" = ":files"
    __fish_complete_path "$current"
  else
    printf '%s\n' $lines
  end
end
complete -c minime -f -a '(__minime_complete)'
