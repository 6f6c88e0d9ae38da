//! HTTP for the MCP server.
