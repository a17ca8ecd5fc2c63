"""The samples behind a report, one by one: pictures, downloads, suspected labels (P4)."""
