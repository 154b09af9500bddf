/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-forward-struct-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "vt-error.h"
#include "vt-host-name-private.h"
#include "vt-text-private.h"

#define MAX_HOST_HEADER 255
#define MAX_NAME 255

/**
 * VtListenKind:
 * @VT_LISTEN_KIND_PORT: users connect to a TCP port that the server opens
 * @VT_LISTEN_KIND_NONE: no port is opened: the application on the server's side opens the streams,
 *   with [method@Vt.Session.open_stream_async]
 * @VT_LISTEN_KIND_HTTP: users send requests for one of [property@Vt.Forward:host-names], by
 *   HTTP/1.x or TLS, to a port that many forwards share
 *
 * Where the streams of a forward come from.
 *
 * More kinds may be added.
 *
 * Since: 1.0
 */

/**
 * VtForward:listen-kind:
 *
 * Where the streams come from.
 *
 * A server takes a forward of the kind %VT_LISTEN_KIND_NONE if it has an application for it, see
 * [property@Vt.Server:allow-streams]; otherwise, and with version 1 of the protocol, which cannot
 * say it, the forward is refused with %VT_ERROR_INVALID_ARGUMENT.
 * It takes one of the kind %VT_LISTEN_KIND_HTTP if it has a port for that, see
 * [method@Vt.Server.listen_http]; otherwise it is refused in the same way.
 *
 * With both, [property@Vt.Forward:listen-address] and [property@Vt.Forward:listen-port] mean
 * nothing, and [property@Vt.Forward:bound-port] stays 0. A change has no effect until the next
 * [method@Vt.Client.listen_async].
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_listen_kind: (get-property listen-kind)
 * @self: a forward
 *
 * Gets where the streams come from.
 *
 * Returns: the kind
 *
 * Since: 1.0
 */
VtListenKind
vt_forward_get_listen_kind (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), VT_LISTEN_KIND_PORT);

  return self->listen_kind;
}

/**
 * vt_forward_set_listen_kind: (set-property listen-kind)
 * @self: a forward
 * @kind: the kind
 *
 * Sets where the streams come from, from the next listening on.
 *
 * Since: 1.0
 */
void
vt_forward_set_listen_kind (VtForward *self, VtListenKind kind)
{
  g_return_if_fail (VT_IS_FORWARD (self));
  g_return_if_fail (kind >= VT_LISTEN_KIND_PORT && kind <= VT_LISTEN_KIND_HTTP);

  if (self->listen_kind == kind)
    return;
  self->listen_kind = kind;
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_LISTEN_KIND]);
}

/**
 * VtForward:name:
 *
 * A name by which the application on the server's side knows this forward from others of the kind
 * %VT_LISTEN_KIND_NONE: UTF-8 of 1 to 255 bytes, or %NULL.
 *
 * Only forwards of that kind tell their name. On the server's side it is what the client has said:
 * any text, which is to be escaped before it is shown. A change has no effect until the next
 * [method@Vt.Client.listen_async].
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_name: (get-property name)
 * @self: a forward
 *
 * Gets the name by which the application on the server's side knows this forward.
 *
 * Returns: (nullable) (transfer none): the name, or %NULL if it has none
 *
 * Since: 1.0
 */
const char *
vt_forward_get_name (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), NULL);

  return self->name;
}

static gboolean
is_name (const char *text)
{
  size_t length = strlen (text);

  return length >= 1 && length <= MAX_NAME && g_utf8_validate (text, (gssize) length, NULL);
}

/**
 * vt_forward_set_name: (set-property name)
 * @self: a forward
 * @name: (nullable): UTF-8 of 1 to 255 bytes, or %NULL
 *
 * Sets the name by which the application on the server's side knows this forward, from the next
 * listening on. A text of another length is a programming error.
 *
 * Since: 1.0
 */
void
vt_forward_set_name (VtForward *self, const char *name)
{
  g_return_if_fail (VT_IS_FORWARD (self));
  g_return_if_fail (name == NULL || is_name (name));

  if (g_strcmp0 (self->name, name) == 0)
    return;
  g_free (self->name);
  self->name = g_strdup (name);
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_NAME]);
}

/**
 * VtForward:host-names: (getter get_host_names)
 *
 * The host names whose requests are this forward's, such as `app.example.com`, or
 * `*.dev.example.com` for all names below one; %NULL if it has none. Set by
 * [method@Vt.Forward.set_host_names].
 *
 * Only forwards of the kind %VT_LISTEN_KIND_HTTP tell their names. A name belongs to one forward of
 * one client of a server at a time. Of several that a request's name fits, the exact one counts,
 * and then the longest.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_host_names: (get-property host-names)
 * @self: a forward
 *
 * Gets the host names whose requests are this forward's.
 *
 * Returns: (nullable) (transfer none) (array zero-terminated=1): the names, in small letters, or
 *   %NULL if it has none
 *
 * Since: 1.0
 */
const char *const *
vt_forward_get_host_names (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), NULL);

  return (const char *const *) self->host_names;
}

static char **
normalize_names (const char *const *names, GError **error)
{
  size_t n_names = g_strv_length ((char **) names);

  if (n_names < 1 || n_names > VT_FORWARD_MAX_HOST_NAMES)
    {
      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                   _ ("A forward can have 1 to %u host names"), VT_FORWARD_MAX_HOST_NAMES);
      return NULL;
    }
  return vt_host_patterns_normalize (names, error);
}

static void
take_names (VtForward *self, char **names, VtListenKind kind)
{
  g_auto(GStrv) old = g_steal_pointer (&self->host_names);

  self->host_names = names;
  g_object_freeze_notify (G_OBJECT (self));
  if (!vt_text_is_same_list (old, (const char *const *) names))
    g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_HOST_NAMES]);
  vt_forward_set_listen_kind (self, kind);
  g_object_thaw_notify (G_OBJECT (self));
}

/**
 * vt_forward_set_host_names:
 * @self: a forward
 * @names: (nullable) (array zero-terminated=1): 1 to 64 host names, or `*.` and a name for all
 *   below it; %NULL for none
 * @error: return location for an error
 *
 * Sets the host names whose requests are this forward's, from the next listening on.
 *
 * Names make it one of the kind %VT_LISTEN_KIND_HTTP; %NULL takes that back to
 * %VT_LISTEN_KIND_PORT, and leaves another kind alone. Names in letters beyond ASCII are taken in
 * the form of IDNA (`xn--…`), and capitals as small letters.
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT if one of @names is none, which changes
 *   nothing
 *
 * Since: 1.0
 */
gboolean
vt_forward_set_host_names (VtForward *self, const char *const *names, GError **error)
{
  char **normalized;

  g_return_val_if_fail (VT_IS_FORWARD (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (names == NULL)
    {
      take_names (self, NULL,
                  self->listen_kind == VT_LISTEN_KIND_HTTP ? VT_LISTEN_KIND_PORT
                                                           : self->listen_kind);
      return TRUE;
    }
  normalized = normalize_names (names, error);
  if (normalized == NULL)
    return FALSE;
  take_names (self, normalized, VT_LISTEN_KIND_HTTP);
  return TRUE;
}

/**
 * VtHostHeaderMode:
 * @VT_HOST_HEADER_AUTO: replaced by the target's host for `tls://` targets, kept for others
 * @VT_HOST_HEADER_KEEP: kept as it comes
 * @VT_HOST_HEADER_REPLACE: replaced by [property@Vt.Forward:host-header]
 *
 * What a forward does with the `Host` header of HTTP/1.x requests on their way to its target.
 *
 * Since: 1.0
 */

/**
 * VtForward:listen-address:
 *
 * The address that the server shall listen at: an IPv4 or IPv6 address, `localhost`, or `*` for all
 * of its addresses; %NULL where the server pleases.
 *
 * The server may refuse it with %VT_ERROR_PERMISSION_DENIED, if it opens ports elsewhere only. With
 * version 1 of the protocol a server cannot be told, and a forward with an address is refused with
 * %VT_ERROR_INVALID_ARGUMENT. A change has no effect until the next
 * [method@Vt.Client.listen_async].
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_listen_address: (get-property listen-address)
 * @self: a forward
 *
 * Gets the address that the server shall listen at.
 *
 * Returns: (nullable) (transfer none): the address, or %NULL where the server pleases
 *
 * Since: 1.0
 */
const char *
vt_forward_get_listen_address (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), NULL);

  return self->listen_address;
}

/**
 * vt_forward_set_listen_address: (set-property listen-address)
 * @self: a forward
 * @address: (nullable): the address, or %NULL where the server pleases
 *
 * Sets the address that the server shall listen at, from the next listening on.
 *
 * Since: 1.0
 */
void
vt_forward_set_listen_address (VtForward *self, const char *address)
{
  g_return_if_fail (VT_IS_FORWARD (self));

  if (g_strcmp0 (self->listen_address, address) == 0)
    return;
  g_free (self->listen_address);
  self->listen_address = g_strdup (address);
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_LISTEN_ADDRESS]);
}

/**
 * VtForward:listen-port:
 *
 * The port that the server shall open, 1 to 65535; 0 lets the server choose one, which
 * [property@Vt.Forward:bound-port] then tells.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_listen_port: (get-property listen-port)
 * @self: a forward
 *
 * Gets the port that the server shall open.
 *
 * Returns: the port, or 0 if the server chooses
 *
 * Since: 1.0
 */
guint16
vt_forward_get_listen_port (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), 0);

  return self->listen_port;
}

/**
 * VtForward:target:
 *
 * Where the connections go; %NULL if the application takes them, and always on the server's side.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_target: (get-property target)
 * @self: a forward
 *
 * Gets where the connections go.
 *
 * Returns: (nullable) (transfer none): the target, or %NULL if there is none
 *
 * Since: 1.0
 */
VtTarget *
vt_forward_get_target (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), NULL);

  return self->target;
}

/**
 * VtForward:host-header-mode:
 *
 * What is done with the `Host` header of HTTP/1.x requests on their way to the target.
 *
 * %VT_HOST_HEADER_REPLACE comes by setting [property@Vt.Forward:host-header]; writing it here does
 * nothing. A change holds for streams that are opened from then on.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_host_header_mode: (get-property host-header-mode)
 * @self: a forward
 *
 * Gets what is done with the `Host` header of requests.
 *
 * Returns: the mode
 *
 * Since: 1.0
 */
VtHostHeaderMode
vt_forward_get_host_header_mode (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), VT_HOST_HEADER_AUTO);

  return self->host_header_mode;
}

/**
 * VtForward:host-header:
 *
 * The host that the `Host` header of HTTP/1.x requests is replaced by, such as `example.com` or
 * `example.com:8080`; %NULL if the mode is not %VT_HOST_HEADER_REPLACE.
 *
 * Writing a host sets the mode to %VT_HOST_HEADER_REPLACE, writing %NULL takes that back to
 * %VT_HOST_HEADER_AUTO. See [method@Vt.Forward.set_host_header] for what may stand in it.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_host_header: (get-property host-header)
 * @self: a forward
 *
 * Gets the host that the `Host` header is replaced by.
 *
 * Returns: (nullable) (transfer none): the host, or %NULL if the mode is not
 *   %VT_HOST_HEADER_REPLACE
 *
 * Since: 1.0
 */
const char *
vt_forward_get_host_header (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), NULL);

  return self->host_header;
}

/* The two never contradict each other: there is a host exactly if the mode is REPLACE. */
static void
set_host_header (VtForward *self, VtHostHeaderMode mode, const char *host)
{
  GObject *object = G_OBJECT (self);

  g_object_freeze_notify (object);
  if (self->host_header_mode != mode)
    {
      self->host_header_mode = mode;
      g_object_notify_by_pspec (object, vt_forward_props[VT_FORWARD_PROP_HOST_HEADER_MODE]);
    }
  if (g_strcmp0 (self->host_header, host) != 0)
    {
      g_free (self->host_header);
      self->host_header = g_strdup (host);
      g_object_notify_by_pspec (object, vt_forward_props[VT_FORWARD_PROP_HOST_HEADER]);
    }
  g_object_thaw_notify (object);
}

/**
 * vt_forward_set_host_header_mode: (set-property host-header-mode)
 * @self: a forward
 * @mode: %VT_HOST_HEADER_AUTO or %VT_HOST_HEADER_KEEP; the third comes with a host, by
 *   [method@Vt.Forward.set_host_header]
 *
 * Sets what is done with the `Host` header of requests, for streams that are opened from then on.
 *
 * Since: 1.0
 */
void
vt_forward_set_host_header_mode (VtForward *self, VtHostHeaderMode mode)
{
  g_return_if_fail (VT_IS_FORWARD (self));

  /* Bindings write properties one by one, in any order: the host brings its mode with it. */
  if (mode != VT_HOST_HEADER_REPLACE)
    set_host_header (self, mode, NULL);
}

/**
 * vt_forward_set_host_header: (set-property host-header)
 * @self: a forward
 * @host: (nullable): the host and, where it is needed, the port to replace the `Host` header by, or
 *   %NULL to take that back
 *
 * Sets what the `Host` header of requests is replaced by, for streams that are opened from then on.
 *
 * A host sets the mode to %VT_HOST_HEADER_REPLACE; %NULL takes that mode back to
 * %VT_HOST_HEADER_AUTO, and leaves another one alone.
 *
 * @host is 1 to 255 ASCII letters, digits and characters of `.-_:[]`: anything else would allow to
 * write into the head of the request, and is a programming error.
 *
 * Since: 1.0
 */
void
vt_forward_set_host_header (VtForward *self, const char *host)
{
  g_return_if_fail (VT_IS_FORWARD (self));
  g_return_if_fail (host == NULL || vt_forward_is_host (host));

  if (host != NULL)
    set_host_header (self, VT_HOST_HEADER_REPLACE, host);
  else if (self->host_header_mode == VT_HOST_HEADER_REPLACE)
    set_host_header (self, VT_HOST_HEADER_AUTO, NULL);
}

gboolean
vt_forward_is_host (const char *text)
{
  size_t length = strlen (text);

  return length >= 1 && length <= MAX_HOST_HEADER
         && strspn (text, G_CSET_DIGITS G_CSET_a_2_z G_CSET_A_2_Z ".-_:[]") == length;
}

/**
 * VtForward:proxy-protocol:
 *
 * The version of the PROXY protocol, 1 or 2, by which the target is told where the user comes from,
 * before the first byte of each stream; 0 if it is not.
 *
 * A target that does not expect it takes it for the user's own bytes. A change holds for streams
 * that are opened from then on.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_proxy_protocol: (get-property proxy-protocol)
 * @self: a forward
 *
 * Gets the version of the PROXY protocol that the target is spoken to in.
 *
 * Returns: 1 or 2, or 0 for none
 *
 * Since: 1.0
 */
unsigned int
vt_forward_get_proxy_protocol (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), 0);

  return self->proxy_protocol;
}

/**
 * vt_forward_set_proxy_protocol: (set-property proxy-protocol)
 * @self: a forward
 * @version: 1 or 2, or 0 for none
 *
 * Sets the version of the PROXY protocol, for streams that are opened from then on.
 *
 * Since: 1.0
 */
void
vt_forward_set_proxy_protocol (VtForward *self, unsigned int version)
{
  g_return_if_fail (VT_IS_FORWARD (self));
  g_return_if_fail (version <= 2);

  if (self->proxy_protocol == version)
    return;
  self->proxy_protocol = version;
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_PROXY_PROTOCOL]);
}
