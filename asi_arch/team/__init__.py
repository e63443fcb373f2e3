"""The teams: language models (`llm`), and written rules that learn (`rules`)."""
