<?php

declare(strict_types=1);

namespace Shopfleet;

/** A file that was sent with a form. */
final readonly class Upload
{
    private function __construct(
        public string $content,
        public string $problem,
        public int $status,
    ) {
    }

    /** The file of a form field, or null when the form had no such field. */
    public static function fromGlobals(string $field): ?self
    {
        $file = $_FILES[$field] ?? null;
        if (!is_array($file) || !is_int($file['error'] ?? null) || !is_string($file['tmp_name'] ?? null)) {
            return null;
        }

        return match ($file['error']) {
            UPLOAD_ERR_OK => self::isCsv($file['name'] ?? null)
                ? new self((string) file_get_contents($file['tmp_name']), '', 200)
                : new self('', 'The file’s name does not end in .csv. Choose a CSV file.', 422),
            UPLOAD_ERR_NO_FILE => new self('', 'Choose a CSV file.', 422),
            UPLOAD_ERR_INI_SIZE => self::tooLarge(),
            default => new self('', 'The file did not arrive whole. Please choose it again.', 422),
        };
    }

    public static function tooLarge(): self
    {
        $size = self::largest();

        return new self('', "The file is larger than {$size}. Split it, and import the parts one after the other.", 413);
    }

    /** The name counts for nothing else: the file is kept under no name. */
    private static function isCsv(mixed $name): bool
    {
        return is_string($name) && str_ends_with(strtolower($name), '.csv');
    }

    /** How large a file may be. */
    public static function largest(): string
    {
        return intdiv(ini_parse_quantity((string) ini_get('upload_max_filesize')), 1024) . ' KiB';
    }
}
