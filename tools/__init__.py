"""What an agent may do: the ToolRegistry and the tools Wavecrew ships."""
