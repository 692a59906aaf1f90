<?php

declare(strict_types=1);

namespace Shopfleet;

/** Makes any text safe as HTML text and as a quoted attribute value. */
function e(string|int $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_DISALLOWED | ENT_HTML5, 'UTF-8');
}
