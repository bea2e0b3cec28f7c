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
 * A docker with containers as files: in \`running\` or \`stopped\`, named by their id. An image named broken/… cannot be pulled, one
 * named faulty/… does not start.
 */
export const dockerStandIn = `
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
    for id; do mv "stopped/$id" running/ || exit 1; echo "$id"; done ;;
  rm)
    for id; do rm "stopped/$id" || exit 1; echo "$id"; done ;;
  pull)
    case "$1" in broken/*) echo "Error: manifest for $1 not found" >&2; exit 1 ;; esac
    echo "pulled $1" ;;
  run)
    for image; do :; done
    case "$image" in faulty/*) echo "Error: $image: no command" >&2; exit 125 ;; esac
    id=id-$(echo "$image" | tr -c 'a-z0-9\\n' -)
    echo "run $*" > "running/$id"
    echo "$id" ;;
  *)
    echo "docker: unknown command $verb" >&2; exit 1 ;;
esac
exit 0
`;
