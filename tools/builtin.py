"""The tools that Wavecrew ships, in the order in which agents are told of them."""

from __future__ import annotations

from tools import apply, board, checks, edit, files, git, manager, rest, search, shell, submit
from tools.spec import Handler

TOOLS: tuple[Handler, ...] = (
    files.list_files,
    files.read_file,
    search.search,
    files.write_file,
    edit.edit_file,
    apply.apply_patch,
    files.move_file,
    files.delete_file,
    shell.run_command,
    checks.run_checks,
    git.git_status,
    git.git_diff,
    git.git_log,
    rest.read_output,
    board.read_contract,
    board.read_board,
    board.post_note,
    submit.submit,
    manager.run_integration,
    manager.branch_diff,
    manager.report,
)
