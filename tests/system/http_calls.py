"""Who may call what of the HTTP server: the expected side of the permission matrix."""

VISITORS = ("nobody", "wrong key", "observer", "operator", "expert")
NONE: frozenset[str] = frozenset()
KEYS = frozenset(VISITORS[2:])
OPERATOR = frozenset(VISITORS[3:])
EXPERT = frozenset(VISITORS[4:])

# What msc_plans.queue.http_server takes away.
CLOSED = (
    "POST /api/queue/upload/spreadsheet", "POST /api/auth/session/refresh",
    "DELETE /api/auth/session/revoke/{session_id}",
)  # fmt: skip

# Method and path: who is let in. A call that bluesky-httpserver offers and that isn't here fails the test.
CALLS = {
    **dict.fromkeys(
        [
            "GET /api/", "GET /api/ping", "GET /api/status", "GET /api/config/get", "GET /api/queue/get",
            "GET /api/queue/item/get", "GET /api/history/get", "POST /api/re/runs", "GET /api/re/runs/active",
            "GET /api/re/runs/open", "GET /api/re/runs/closed", "GET /api/plans/allowed", "GET /api/plans/existing",
            "GET /api/devices/allowed", "GET /api/devices/existing", "GET /api/permissions/get", "GET /api/task/status",
            "GET /api/task/result", "GET /api/lock/info", "GET /api/stream_console_output", "GET /api/console_output",
            "GET /api/console_output/uid", "GET /api/console_output_update", "GET /api/auth/apikey",
            "GET /api/auth/whoami",
            "WS /api/console_output/ws", "WS /api/status/ws", "WS /api/info/ws",
        ],
        KEYS,
    ),
    **dict.fromkeys(
        [
            "POST /api/queue/autostart", "POST /api/queue/mode/set", "POST /api/queue/clear", "POST /api/queue/start",
            "POST /api/queue/stop", "POST /api/queue/stop/cancel", "POST /api/queue/item/add",
            "POST /api/queue/item/execute", "POST /api/queue/item/add/batch", "POST /api/queue/item/update",
            "POST /api/queue/item/remove", "POST /api/queue/item/remove/batch", "POST /api/queue/item/move",
            "POST /api/queue/item/move/batch", "POST /api/environment/open", "POST /api/environment/close",
            "POST /api/environment/destroy", "POST /api/environment/update", "POST /api/re/pause",
            "POST /api/re/resume", "POST /api/re/stop", "POST /api/re/abort", "POST /api/re/halt",
            "POST /api/function/execute", "POST /api/kernel/interrupt",
        ],
        OPERATOR,
    ),
    **dict.fromkeys(
        ["POST /api/history/clear", "POST /api/permissions/reload", "POST /api/lock", "POST /api/unlock"], EXPERT
    ),
    **dict.fromkeys(
        [
            "POST /api/permissions/set", "POST /api/script/upload", "POST /api/manager/stop",
            "POST /api/test/manager/kill", "GET /api/test/server/sleep",
            "GET /api/auth/principal", "GET /api/auth/principal/{uuid}", "POST /api/auth/principal/{uuid}/apikey",
            "POST /api/auth/apikey", "DELETE /api/auth/apikey", "POST /api/auth/provider/keys/token", *CLOSED,
        ],
        NONE,
    ),
    # What may I, forget me: tells nobody anything.
    **dict.fromkeys(["GET /api/auth/scopes", "POST /api/auth/logout"], KEYS | {"nobody"}),
}  # fmt: skip

BODIES = {
    "POST /api/queue/autostart": {"enable": False},
    "POST /api/queue/mode/set": {"mode": {"loop": False}},
    "POST /api/lock": {"environment": False, "queue": True, "lock_key": "of the test"},
    "POST /api/unlock": {"lock_key": "of the test"},
    "POST /api/auth/provider/keys/token": "username=expert&password=expert",
}

# Some of each kind, for a quick look.
FEW = (
    "GET /api/queue/get", "POST /api/queue/item/add", "POST /api/environment/destroy", "POST /api/history/clear",
    "POST /api/script/upload", "POST /api/permissions/set", "GET /api/plans/existing", "WS /api/status/ws",
)  # fmt: skip
