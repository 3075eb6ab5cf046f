// The reader types a key into the page; it is neither part of it nor kept.
Scalar.createApiReference('#reference', {
  url: '/api/v1/openapi.json',
  authentication: { preferredSecurityScheme: 'api_key' },
  persistAuth: false,
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  operationTitleSource: 'path',
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
})
