"""One sentence for a server's trouble: what is wrong there and what to do about it."""

from asi_arch.backends.trouble import Trouble
from asi_arch.records import RoleSettings

_LENGTH = (
    "takes no prompt and answer of this length together; lower max_tokens or choose a model with "
    "a longer context"
)
_BUSY = "allows no more requests now; wait, lower --llm-jobs or check the quota"
_UNREACHABLE = "cannot be reached; start the server or correct --base-url"


def explain(trouble: Trouble, settings: RoleSettings, key: str, missing: str) -> str:
    """Return what the server does not do and the remedy.

    Args:
        trouble: what came instead of an answer.
        settings: those of the role that asked.
        key: the variable that holds the key.
        missing: what to say when the model or the path is not found.
    """
    if trouble.is_about_length:
        return _LENGTH
    if trouble.is_about_money:
        return f"has no credit left for this {key}; add credit or lower the budget"
    match trouble.kind:
        case "silence":
            return (
                f"did not answer within {settings.timeout:g} seconds; is it overloaded? If the "
                "model is slow, raise the timeout of the role"
            )
        case "connection":
            return _UNREACHABLE
        case "unreadable":
            protocol = "Responses" if settings.api == "responses" else "chat-completions"
            return f"does not speak the {protocol} protocol; correct --base-url"
    match trouble.status:
        case 401 | 403:
            return f"refused the key; set {key} to a key that is valid there"
        case 404 | 405:
            return missing
        case 429:
            return _BUSY
    return "gave no answer"
