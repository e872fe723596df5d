"""The few shell scripts with which the engine itself works on a tree, always in the sandbox.

One script is one sandbox start, which is most of what a snapshot costs. All of
them run with `GIT_DIR` set to the engine's own git directory; `$1`, `$2` are
object ids, so nothing an agent named is ever part of a command line here.
"""

from __future__ import annotations

NESTED = 9
"""Exit code of the snapshot script for a repository inside the repository."""

FILL = """set -e
git read-tree "$1"
git checkout-index --all --force --index --quiet
"""
CREATE = (
    FILL
    + """cp "$GIT_DIR/index" "$AGENT_GIT/index"
if [ "$1" != "$2" ]; then GIT_DIR="$AGENT_GIT" git read-tree "$2"; fi
"""
)
RESTORE = (
    """set -e
chmod -R u+rwX .
find . -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +
printf 'gitdir: %s\\n' "$AGENT_GIT" >.git
rm -f "$GIT_DIR/index" "$GIT_DIR/index.lock"
"""
    + FILL
)
# The index starts from the base every time, so nothing an agent did to an earlier one counts;
# what did not change keeps its stat data. Ignored folders may hold repositories (a .venv does).
SNAPSHOT = """set -e
rm -f "$GIT_DIR/index.lock"
git read-tree -m "$1" 2>/dev/null || { rm -f "$GIT_DIR/index"; git read-tree "$1"; }
find . -mindepth 2 -iname .git -prune -exec sh -c 'printf "%s\\0" "${1%/*}"' _ {} \\; \
>"$GIT_DIR/nested"
if [ -s "$GIT_DIR/nested" ]; then
  ignores="env GIT_LITERAL_PATHSPECS=0 git check-ignore"
  all=$(tr -cd '\\0' <"$GIT_DIR/nested" | wc -c)
  ignored=$( ($ignores -z --stdin || true) <"$GIT_DIR/nested" | tr -cd '\\0' | wc -c)
  if [ "$all" -ne "$ignored" ]; then
    $ignores -z -v -n --stdin <"$GIT_DIR/nested" || true
    exit 9
  fi
fi
git -c core.fsync=loose-object -c core.fsyncMethod=batch add --all
git -c core.fsync=loose-object write-tree
"""
HOLDS = """set -e
git rev-list --objects "$1" "^$2" >"$GIT_DIR/held"
! cut -d' ' -f1 "$GIT_DIR/held" | git cat-file --batch-check | grep -q missing
"""
DIFF = SNAPSHOT.replace(
    "git -c core.fsync=loose-object write-tree\n", "tree=$(git write-tree)\nbase=$1\nshift\n"
) + ('exec git diff-tree -p -r --no-ext-diff --no-textconv --find-renames "$base" "$tree" "$@"\n')
PACK = """set -e
printf '%s\\n^%s\\n' "$1" "$2" | git pack-objects --revs --stdout -q >"$GIT_DIR/outgoing.pack"
"""
