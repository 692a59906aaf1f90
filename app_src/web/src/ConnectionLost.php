<?php

declare(strict_types=1);

namespace Shopfleet;

/** The other side closed the connection before it had answered. */
final class ConnectionLost extends \RuntimeException
{
}
