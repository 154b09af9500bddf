/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-forward-struct-private.h"

/* What a target that speaks HTTP is told and its users are, and whether a target is looked after.
 * The other settings are in vt-forward-settings.c. */

/**
 * VtForwardedHeaders:
 * @VT_FORWARDED_HEADERS_NONE: none
 * @VT_FORWARDED_HEADERS_X_FORWARDED: `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`
 * @VT_FORWARDED_HEADERS_FORWARDED: `Forwarded`, of RFC 7239
 *
 * The headers by which a forward tells its target of the user, in each request of HTTP/1.x.
 *
 * Since: 1.0
 */

/**
 * VtForward:forwarded-headers:
 *
 * The headers by which the target is told who the user is, and which host they have asked for, in
 * each request of HTTP/1.x.
 *
 * As other proxies do, what the request says already stays, and what is known here is added behind
 * it: so only the last address is one that nobody can make up. A user whose address is not known,
 * as with version 1 of the protocol, is `unknown`. `X-Forwarded-Host` and `X-Forwarded-Proto` are
 * left alone where they are there; otherwise the protocol is `http`, since what came with TLS could
 * not be read. Headers of these names with `_` in the place of `-` are dropped.
 *
 * So that nothing gets past this, users that send anything but HTTP/1.x are disconnected; what
 * follows an upgrade to WebSocket passes. A change holds for streams that are opened from then on.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_forwarded_headers: (get-property forwarded-headers)
 * @self: a forward
 *
 * Gets the headers by which the target is told of the user.
 *
 * Returns: the headers
 *
 * Since: 1.0
 */
VtForwardedHeaders
vt_forward_get_forwarded_headers (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), VT_FORWARDED_HEADERS_NONE);

  return self->forwarded_headers;
}

/**
 * vt_forward_set_forwarded_headers: (set-property forwarded-headers)
 * @self: a forward
 * @headers: the headers
 *
 * Sets the headers by which the target is told of the user, for streams that are opened from then
 * on. The target has to speak HTTP/1.x.
 *
 * Since: 1.0
 */
void
vt_forward_set_forwarded_headers (VtForward *self, VtForwardedHeaders headers)
{
  const VtForwardedHeaders all = VT_FORWARDED_HEADERS_X_FORWARDED | VT_FORWARDED_HEADERS_FORWARDED;

  g_return_if_fail (VT_IS_FORWARD (self));
  g_return_if_fail ((headers & ~all) == 0);

  if (self->forwarded_headers == headers)
    return;
  self->forwarded_headers = headers;
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_FORWARDED_HEADERS]);
}

/**
 * VtForward:http:
 *
 * Whether the target speaks HTTP/1.x: then a user gets a short page with the status 502, or 504,
 * when the target cannot be reached or does not answer, and not only a connection that is reset.
 *
 * With [property@Vt.Forward:forwarded-headers] or [property@Vt.Forward:host-header], which only
 * HTTP has, and for users who come by a host name, that is so whatever this says. The page is
 * written on the client's side, when the first request has come, of 16 KiB and within 5 seconds at
 * most. A change holds for streams that are opened from then on.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_http: (get-property http)
 * @self: a forward
 *
 * Gets whether the target was said to speak HTTP/1.x.
 *
 * Returns: %TRUE if it was, by [method@Vt.Forward.set_http]
 *
 * Since: 1.0
 */
gboolean
vt_forward_get_http (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), FALSE);

  return self->http;
}

/**
 * vt_forward_set_http: (set-property http)
 * @self: a forward
 * @http: whether the target speaks HTTP/1.x
 *
 * Sets whether the target speaks HTTP/1.x, for streams that are opened from then on.
 *
 * Since: 1.0
 */
void
vt_forward_set_http (VtForward *self, gboolean http)
{
  g_return_if_fail (VT_IS_FORWARD (self));

  http = !!http;
  if (self->http == http)
    return;
  self->http = http;
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_HTTP]);
}

gboolean
vt_forward_speaks_http (VtForward *self)
{
  return self->http || self->listen_kind == VT_LISTEN_KIND_HTTP
         || self->forwarded_headers != VT_FORWARDED_HEADERS_NONE
         || self->host_header_mode == VT_HOST_HEADER_REPLACE;
}

/**
 * VtForward:health-interval:
 *
 * Seconds between two looks at whether the target answers, 1 to 86400; 0 for none.
 *
 * While the server listens, the client connects to the target every so often (a tenth more or less)
 * for 5 seconds at most, and leaves it again; a target of the PROXY protocol is told that it is
 * only that. If it does not answer, [property@Vt.Forward:state] is
 * %VT_FORWARD_STATE_TARGET_DOWN, with [property@Vt.Forward:error]. What users' own connections come
 * to counts as well. A change has no effect until the server listens the next time.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_health_interval: (get-property health-interval)
 * @self: a forward
 *
 * Gets how often the target is looked at.
 *
 * Returns: the seconds in between, or 0 if it is not
 *
 * Since: 1.0
 */
unsigned int
vt_forward_get_health_interval (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), 0);

  return self->health_interval;
}

/**
 * vt_forward_set_health_interval: (set-property health-interval)
 * @self: a forward
 * @interval: seconds, 1 to 86400, or 0 for none
 *
 * Sets how often the target is looked at, from the next time on that the server listens.
 *
 * Since: 1.0
 */
void
vt_forward_set_health_interval (VtForward *self, unsigned int interval)
{
  g_return_if_fail (VT_IS_FORWARD (self));
  g_return_if_fail (interval <= VT_FORWARD_MAX_HEALTH_INTERVAL);

  if (self->health_interval == interval)
    return;
  self->health_interval = interval;
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_HEALTH_INTERVAL]);
}
