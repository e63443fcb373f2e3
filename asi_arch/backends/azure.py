"""Azure OpenAI: the same models under the address and the key of a resource of one's own."""

import os
from typing import Any, ClassVar

from asi_arch.backends.chat import Chat
from asi_arch.backends.openai import OpenAIBackend
from asi_arch.backends.responses import Responses
from asi_arch.backends.wire import Wire
from asi_arch.errors import UserError

VERSION = "2025-04-01-preview"
"""The version of Azure's API unless OPENAI_API_VERSION names another; it has both formats."""


class AzureBackend(OpenAIBackend):
    """Azure OpenAI; the model is the name of a deployment.

    The endpoint is that of the settings, else AZURE_OPENAI_ENDPOINT; the key is
    AZURE_OPENAI_API_KEY, the version OPENAI_API_VERSION.
    """

    KEY: ClassVar[str] = "AZURE_OPENAI_API_KEY"

    def client(self) -> Any:
        """Return a client of the openai package, to be closed by the caller."""
        import openai

        return openai.AsyncAzureOpenAI(
            api_key=self._key,
            azure_endpoint=self.base_url,
            api_version=os.environ.get("OPENAI_API_VERSION") or VERSION,
            timeout=self.settings.timeout,
            max_retries=0,
        )

    def _find_url(self) -> str:
        url = self.settings.base_url or os.environ.get("AZURE_OPENAI_ENDPOINT")
        if not url:
            raise UserError(
                "AZURE_OPENAI_ENDPOINT is not set; export it as "
                "https://RESOURCE.openai.azure.com, or name it with --base-url"
            )
        return url

    def _check_key(self, host: str) -> None:
        if not self._key:
            raise UserError(f"{self.KEY} is not set; export the key of your Azure OpenAI resource")

    def _choose_wire(self, host: str) -> Wire:
        return Responses() if self.settings.api == "responses" else Chat("max_completion_tokens")

    def _missing(self) -> str:
        return (
            f"has no deployment {self.settings.model!r} for api={self.settings.api}; the model is "
            "the name of a deployment, the URL ends before /openai"
        )
