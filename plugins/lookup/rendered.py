"""Texts made from templates."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template

DOCUMENTATION = r"""
name: rendered
short_description: Texts made from templates
description:
  - What P(ansible.builtin.template#lookup) returns, without its copy of every variable for every template, which takes
    ten times as long as the template does.
options:
  _terms:
    description: Paths of templates, absolute or below C(templates) of the role.
    required: true
"""

EXAMPLES = r"""
- ansible.builtin.copy:
    content: "{{ lookup('rendered', 'sysctl.conf.j2') }}"
    dest: /etc/sysctl.d/zz-shopfleet.conf
"""

RETURN = r"""
_raw:
  description: The texts.
  type: list
  elements: str
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point to the lookup."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **_: Any) -> list[str]:
        """Render templates.

        Args:
            terms: Their paths.
            variables: What they may use.

        Returns:
            The texts.

        Raises:
            AnsibleLookupError: There is no such template.
        """
        return [self._render(term, variables or {}) for term in terms]

    def _render(self, term: str, variables: dict[str, Any]) -> str:
        path = self.find_file_in_search_path(variables, "templates", term)
        if not path:
            raise AnsibleLookupError(f"there is no template {term}")
        text = trust_as_template(self._loader.get_text_file_contents(path))
        templar = self._templar.copy_with_new_env(available_variables=variables)
        return str(templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True}))
