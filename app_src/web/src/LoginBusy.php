<?php

declare(strict_types=1);

namespace Shopfleet;

/** Too many log-ins are being checked at this moment. */
final class LoginBusy extends \RuntimeException
{
}
