"""A page of a site in the browser, and what it told."""

from __future__ import annotations

import re
from typing import Any

from .server import Server

_WAIT_MS = 60_000


class Visit:
    """An opened page.

    Attributes:
        violations: of the page's security policy.
        errors: errors and warnings of the console, and exceptions that nothing caught.
    """

    def __init__(
        self,
        browser: Any,
        server: Server,
        width: int = 390,
        dark: bool = False,
        expected: str | None = None,
    ):
        """
        Args:
            expected: pattern of errors of the console that the test provokes.
        """
        self.server = server
        self.violations: list[str] = []
        self.errors: list[str] = []
        self._expected = None if expected is None else re.compile(expected)
        self.context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme="dark" if dark else "light"
        )
        self.page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        # Violations of worker scripts are told in the console too.
        self.page.expose_function("tellViolation", lambda said: self.violations.append(said))
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', "
            "(event) => tellViolation(`${event.violatedDirective} ${event.blockedURI}`))"
        )

    def _hear(self, message: Any) -> None:
        text = message.text
        if message.type in ("error", "warning") and not (
            self._expected is not None and self._expected.search(text)
        ):
            self.errors.append(f"{message.type}: {text}")

    def open(self) -> str:
        """Load the page; returns its status once the model is loaded, or refused."""
        self.page.goto(self.server.url)
        return self.status("Loading")

    def status(self, besides: str) -> str:
        """Return the page's status when it no longer begins with these words."""
        from playwright.sync_api import expect

        found = self.page.locator("#status")
        expect(found).not_to_have_text(re.compile(f"^{besides}"), timeout=_WAIT_MS)
        return str(found.inner_text())

    def verify(self) -> str:
        """Press the button that answers the golden examples; returns the status."""
        self.page.click("#verify")
        return self.status("Answering")

    def run(self, script: str, given: Any = None) -> Any:
        """Run the body of an async function of `given` in the page; `load` imports a module."""
        return self.page.evaluate(
            f"""async (given) => {{
                const load = (path) => import(new URL(path, document.baseURI).href);
                {script}
            }}""",
            given,
        )

    def refused(self, script: str, given: Any = None) -> tuple[str, str]:
        """Run a script that must throw; returns the name and the message of the error."""
        name, message = self.run(
            f"""try {{
                await (async () => {{ {script} }})();
            }} catch (error) {{ return [error.name, error.message]; }}
            return ["nothing", "no error"];""",
            given,
        )
        return name, message
