"""The browser's pipeline beside Python's."""
