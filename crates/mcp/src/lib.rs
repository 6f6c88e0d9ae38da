//! The MCP server over a catalog of tools.
