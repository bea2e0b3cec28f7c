/*
 * Programs the modules call, so that a test changes nothing of the machine: dpkg is the real one over a root of its own; rpm and
 * docker keep what they were told in files below `$TARGET`.
 */

/** The real dpkg, installing below the target; its records lie beside it. */
export const dpkgElsewhere = `
mkdir -p "$TARGET" "$TARGET/../dpkg/info" "$TARGET/../dpkg/updates"
touch "$TARGET/../dpkg/status" "$TARGET/../dpkg/available"
exec /usr/bin/dpkg --root="$TARGET" --admindir="$TARGET/../dpkg" --log=/dev/null "$@"
`;

/** Writes down how it was called; a package whose content is 'broken' is one it refuses. */
export const rpmStandIn = `
words=
for word; do
  case "$word" in
    /*) grep -q broken "$word" && { echo "error: $word: not an rpm package" >&2; exit 1; }
        word=\${word##*/} ;;
  esac
  words="$words $word"
done
echo "rpm$words" >> "$TARGET/rpm-calls"
`;

/**
 * A docker with containers as files: in `running` or `stopped`, named by their id. An image named broken/… cannot be pulled, one
 * named faulty/… does not start, nor does an application whose compose file says faulty.
 */
export const dockerStandIn = `
called_in=$PWD
cd "$TARGET"
mkdir -p running stopped
verb=$1
shift
case "$verb" in
  ps)
    for id in running/*; do [ -e "$id" ] && echo "\${id##*/}"; done ;;
  stop)
    for id; do mv "running/$id" stopped/ || exit 1; echo "$id"; done ;;
  start)
    for id; do [ -e "running/$id" ] || mv "stopped/$id" running/ || exit 1; echo "$id"; done ;;
  rm)
    shift
    for id; do rm "running/$id" 2>/dev/null || rm "stopped/$id" || exit 1; echo "$id"; done ;;
  inspect)
    [ -e "running/$1" ] || [ -e "stopped/$1" ] || exit 1 ;;
  update)
    policy=$2
    shift 2
    for id; do echo ", restart $policy" >> "stopped/$id" || exit 1; done ;;
  pull)
    case "$1" in broken/*) echo "Error: manifest for $1 not found" >&2; exit 1 ;; esac
    echo "pulled $1" ;;
  run)
    for image; do :; done
    id=id-$(echo "$image" | tr -c 'a-z0-9\\n' -)
    words=
    while [ $# -gt 0 ]; do
      if [ "$1" = --cidfile ]; then printf %s "$id" > "$2"; shift; else words="$words $1"; fi
      shift
    done
    case "$image" in
      faulty/*) echo "run$words" > "stopped/$id"; echo "Error: $image: no command" >&2; exit 125 ;;
    esac
    echo "run$words" > "running/$id"
    echo "$id" ;;
  load)
    [ "$(gzip -dc < "$2")" = images ] || { echo "not images" >&2; exit 1; }
    echo loaded >> images ;;
  compose)
    name=$2
    [ "$1" = version ] && exit 0
    shift 2
    case "$1" in
      config) grep -q services "$called_in/compose.yaml" || { echo "no services" >&2; exit 15; } ;;
      pull) echo pulled >> images ;;
      up)
        grep -q faulty "$called_in/compose.yaml" && { echo "Error: unhealthy" >&2; exit 1; }
        cat "$called_in/compose.yaml" "$called_in/.env" > "running/$name" ;;
      down) rm -f "running/$name" ;;
    esac ;;
  *)
    echo "docker: unknown command $verb" >&2; exit 1 ;;
esac
exit 0
`;
