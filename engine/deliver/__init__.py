"""From the incidents topic to one receiver: what it should know, what it knows, and when to try again."""
