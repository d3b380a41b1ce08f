"""Where the schemas of a source's messages are kept."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from pydantic import SecretStr

from engine.config.values import Duration, Model


class Registry(Model):
    """A schema registry with Confluent's interface. Needs the extra `registry`."""

    url: str = ""
    """http or https; Confluent's own, or one with its interface."""
    user: str = ""
    """For basic authentication; "" sends none."""
    password: SecretStr | None = None
    """Its password."""
    token: SecretStr | None = None
    """A bearer token, in place of user and password."""
    ca_file: str = ""
    """Certificates to trust in place of the system's."""
    timeout: Annotated[Duration, Gt(0)] = 3.0
    """For one question. While the registry does not answer, the partitions wait whose next message needs it; nothing is lost."""
