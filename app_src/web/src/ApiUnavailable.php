<?php

declare(strict_types=1);

namespace Shopfleet;

/** The API could not be reached, was not able to answer, or answered something that cannot be right. */
final class ApiUnavailable extends \RuntimeException
{
}
