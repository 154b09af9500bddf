/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-forward-private.h"
#include "vt-host-name-private.h"
#include "vt-loopback-private.h"
#include "vt-text-private.h"

/* Users by host name: the ports where they come in, whose names they come by, and who may have
 * which. */

static VtServerListen *
find_listen (VtServer *self, VtForward *forward)
{
  const char *const *names = vt_forward_get_host_names (forward);
  VtServerListen *listen = vt_host_table_get_owner (self->hosts, names[0]);

  return listen != NULL && listen->forward == forward ? listen : NULL;
}

static VtForward *
find_cb (const char *host, void *user_data)
{
  VtServer *self = user_data;
  VtServerListen *listen = vt_host_table_find (self->hosts, host);

  return listen != NULL ? listen->forward : NULL;
}

static VtStream *
open_cb (VtForward *forward,
         GSocketAddress *remote,
         GSocketAddress *local,
         GError **error,
         void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);
  VtServerListen *listen = find_listen (self, forward);

  if (listen != NULL)
    return vt_server_session_open_for_user (listen, remote, local, error);
  g_set_error_literal (error, VT_ERROR, VT_ERROR_CANCELLED, _ ("The name is free again"));
  return NULL;
}

static void
pass_cb (VtForward *forward,
         int fd,
         GSocketAddress *remote,
         GSocketAddress *local,
         GByteArray *begun,
         void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);

  vt_server_session_add_user (find_listen (self, forward), fd, remote, local, begun);
}

static gboolean
expects_proxy_cb (guint16 port, void *user_data)
{
  return vt_server_expects_proxy (user_data, port);
}

static void
header_refused_cb (void *user_data)
{
  VtServer *self = user_data;

  self->counters->users_refused[VT_COUNTERS_NO_PROXY_HEADER]++;
}

void
vt_server_init_names (VtServer *self)
{
  static const VtHostFrontHandlers handlers = {
    .find = find_cb,
    .open = open_cb,
    .pass = pass_cb,
    .expects_proxy = expects_proxy_cb,
    .header_refused = header_refused_cb,
  };

  self->hosts = vt_host_table_new ();
  self->host_front = vt_host_front_new (&handlers, self);
  vt_host_front_set_max_rate (self->host_front, self->max_accept_rate);
}

void
vt_server_clear_names (VtServer *self)
{
  g_clear_pointer (&self->hosts, vt_host_table_free);
  g_clear_pointer (&self->allowed_names, g_strfreev);
  g_clear_pointer (&self->http_url, g_free);
}

static gboolean
has_pattern_for (char *const *patterns, const char *name)
{
  for (size_t i = 0; patterns[i] != NULL; i++)
    if (vt_host_pattern_covers (patterns[i], name))
      return TRUE;
  return FALSE;
}

gboolean
vt_server_check_names (VtServer *self, VtAccessEntry *entry, VtForward *forward, GError **error)
{
  const char *const *names = vt_forward_get_host_names (forward);
  char *const *patterns = entry != NULL ? entry->host_names : self->allowed_names;
  g_autofree char *list = NULL;

  if (patterns == NULL && entry == NULL)
    return TRUE;
  if (patterns == NULL || patterns[0] == NULL)
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
                           _ ("This client may have no host names here"));
      return FALSE;
    }
  for (size_t i = 0; names[i] != NULL; i++)
    {
      if (has_pattern_for (patterns, names[i]))
        continue;
      list = g_strjoinv (", ", (char **) patterns);
      g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
                   _ ("“%s” is not allowed: this client may have the host names %s here"), names[i],
                   list);
      return FALSE;
    }
  return TRUE;
}

gboolean
vt_server_has_names (VtServerSession *work, void *user_data)
{
  VtServer *self = user_data;

  return self->host_front != NULL && vt_host_front_get_ports (self->host_front)->len > 0;
}

char *
vt_server_make_url (VtServerSession *work, VtForward *forward, void *user_data)
{
  VtServer *self = user_data;
  const char *name = vt_forward_get_host_names (forward)[0];
  const char *star = self->http_url != NULL ? strchr (self->http_url, '*') : NULL;

  if (star == NULL)
    return NULL;
  return g_strdup_printf ("%.*s%s%s", (int) (star - self->http_url), self->http_url, name,
                          star + 1);
}

void
vt_server_names_released (VtServerSession *work, VtForward *forward, void *user_data)
{
  VtServer *self = user_data;

  if (self->host_front != NULL)
    vt_host_front_forget (self->host_front, forward);
}

GPtrArray *
vt_server_list_name_holders (VtServer *self, VtForward *forward)
{
  const char *const *names = vt_forward_get_host_names (forward);
  GPtrArray *holders = g_ptr_array_new ();

  for (size_t i = 0; names[i] != NULL; i++)
    {
      VtServerListen *listen = vt_host_table_get_owner (self->hosts, names[i]);

      if (listen == NULL)
        continue;
      /* One that nobody makes room for spoils it all. */
      if (!vt_server_session_is_suspended (listen->session))
        {
          g_ptr_array_set_size (holders, 0);
          break;
        }
      if (!g_ptr_array_find (holders, listen->session, NULL))
        g_ptr_array_add (holders, listen->session);
    }
  return holders;
}

/**
 * vt_server_listen_http:
 * @self: a server
 * @address: (nullable): a literal address, `localhost` (both loopback addresses, 127.0.0.1 and ::1)
 *   or `*` (all addresses); %NULL is `localhost`
 * @port: a TCP port, or 0 for any that is free
 * @error: return location for an error
 *
 * Opens a port for users, who are told apart by the host name that they ask for, and lets clients
 * have forwards of the kind %VT_LISTEN_KIND_HTTP. A server can have several such ports, which are
 * the same to all clients.
 *
 * HTTP/1.x goes, request by request, to the forward whose name the request is for; what begins as
 * TLS goes, untouched, to the one that it names (SNI). A name that nobody has is answered with 404,
 * or with an alert. HTTP/2 is only spoken inside of TLS.
 *
 * Where the port is one of [property@Vt.Server:proxy-protocol-ports] when it is opened, each
 * connection begins with a header.
 *
 * Which names a client may have is said by its entry in [property@Vt.Server:access], or else by
 * [property@Vt.Server:allowed-names].
 *
 * Returns: %TRUE, or %FALSE with an error as [method@Vt.Server.listen] has them
 *
 * Since: 1.0
 */
gboolean
vt_server_listen_http (VtServer *self, const char *address, guint16 port, GError **error)
{
  g_autofree char *escaped = NULL;

  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (self->host_front != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (address == NULL)
    address = "localhost";
  if (!vt_server_check_running (self, error))
    return FALSE;
  if (self->access != NULL || self->allow_anonymous || vt_loopback_is_address (address))
    return vt_host_front_listen (self->host_front, address, port, error);
  escaped = vt_text_escape (address, -1);
  g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
               _ ("Not listening on %s: anybody on this machine could have any name there. Set"
                  " access to say who may, or allow-anonymous if that is what you want, or listen"
                  " on localhost"),
               escaped);
  return FALSE;
}

/**
 * vt_server_get_http_ports:
 * @self: a server
 * @n_ports: (out) (optional): return location for the number of ports
 *
 * Gets the ports that [method@Vt.Server.listen_http] has opened, in their order: what became of
 * port 0.
 *
 * Returns: (transfer full) (array length=n_ports) (nullable): the ports, or %NULL if there are none
 *
 * Since: 1.0
 */
guint16 *
vt_server_get_http_ports (VtServer *self, size_t *n_ports)
{
  GArray *ports;

  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  ports = self->host_front != NULL ? vt_host_front_get_ports (self->host_front) : NULL;
  if (n_ports != NULL)
    *n_ports = ports != NULL ? ports->len : 0;
  return ports != NULL ? g_memdup2 (ports->data, ports->len * sizeof (guint16)) : NULL;
}

/**
 * vt_server_get_http_url: (get-property http-url)
 * @self: a server
 *
 * Gets where users find a host name.
 *
 * Returns: (nullable): the URL with `*` for the name, or %NULL if clients are not told
 *
 * Since: 1.0
 */
const char *
vt_server_get_http_url (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return self->http_url;
}

static gboolean
is_url_pattern (const char *text)
{
  const char *star = strchr (text, '*');
  g_autofree char *example = NULL;
  g_autoptr(GUri) uri = NULL;

  if (star == NULL || strchr (star + 1, '*') != NULL)
    return FALSE;
  example = g_strdup_printf ("%.*sa.example%s", (int) (star - text), text, star + 1);
  uri = g_uri_parse (example, G_URI_FLAGS_NONE, NULL);
  return uri != NULL && g_str_equal (g_uri_get_host (uri), "a.example")
         && (g_str_equal (g_uri_get_scheme (uri), "http")
             || g_str_equal (g_uri_get_scheme (uri), "https"));
}

/**
 * vt_server_set_http_url:
 * @self: a server
 * @pattern: (nullable): an `http:` or `https:` URL whose host is `*`, with a port and a path or
 *   without, or %NULL
 * @error: return location for an error
 *
 * Sets what clients are told of where users find their host names, from now on. Only whoever runs
 * the server knows what stands in front of it. See [property@Vt.Forward:url].
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT if @pattern is written otherwise, which
 *   changes nothing
 *
 * Since: 1.0
 */
gboolean
vt_server_set_http_url (VtServer *self, const char *pattern, GError **error)
{
  g_autofree char *escaped = NULL;

  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (pattern != NULL && !is_url_pattern (pattern))
    {
      escaped = vt_text_escape (pattern, -1);
      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                   _ ("“%s” is no URL with * for the host name, such as https://*"), escaped);
      return FALSE;
    }
  if (g_strcmp0 (self->http_url, pattern) == 0)
    return TRUE;
  g_free (self->http_url);
  self->http_url = g_strdup (pattern);
  g_object_notify_by_pspec (G_OBJECT (self), vt_server_props[VT_SERVER_PROP_HTTP_URL]);
  return TRUE;
}

/**
 * vt_server_get_allowed_names: (get-property allowed-names)
 * @self: a server
 *
 * Gets which host names clients may ask for.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the names and patterns, or %NULL
 *   for any
 *
 * Since: 1.0
 */
const char *const *
vt_server_get_allowed_names (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return (const char *const *) self->allowed_names;
}

/**
 * vt_server_set_allowed_names:
 * @self: a server
 * @patterns: (nullable) (array zero-terminated=1): host names, and `*.` and a name for all below
 *   it; %NULL for any
 * @error: return location for an error
 *
 * Sets which host names clients may ask for that have no entry in [property@Vt.Server:access], from
 * now on. Names that somebody has stay his. See [property@Vt.Server:allowed-names].
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT if one of @patterns is none, which
 *   changes nothing
 *
 * Since: 1.0
 */
gboolean
vt_server_set_allowed_names (VtServer *self, const char *const *patterns, GError **error)
{
  g_auto(GStrv) normalized = NULL;

  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (patterns != NULL && (normalized = vt_host_patterns_normalize (patterns, error)) == NULL)
    return FALSE;
  if (vt_text_is_same_list (self->allowed_names, (const char *const *) normalized))
    return TRUE;
  g_strfreev (self->allowed_names);
  self->allowed_names = g_steal_pointer (&normalized);
  g_object_notify_by_pspec (G_OBJECT (self), vt_server_props[VT_SERVER_PROP_ALLOWED_NAMES]);
  return TRUE;
}

gboolean
vt_server_get_names_property (VtServer *self, VtServerProperty property, GValue *value)
{
  if (property == VT_SERVER_PROP_HTTP_URL)
    g_value_set_string (value, self->http_url);
  else if (property == VT_SERVER_PROP_ALLOWED_NAMES)
    g_value_set_boxed (value, self->allowed_names);
  else
    return FALSE;
  return TRUE;
}

void
vt_server_define_names (void)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * VtServer:http-url: (getter get_http_url)
   *
   * Where users find a host name: a URL of `http:` or `https:` with `*` in the place of the name;
   * %NULL if clients are not told. Set by [method@Vt.Server.set_http_url].
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_HTTP_URL] =
      g_param_spec_string ("http-url", NULL, NULL, NULL, readable);

  /**
   * VtServer:allowed-names: (getter get_allowed_names)
   *
   * The host names that clients may ask for, such as `app.example.org`, or `*.dev.example.org` for
   * all below one; %NULL for any. Set by [method@Vt.Server.set_allowed_names].
   *
   * A client that came in by [property@Vt.Server:access] has the names that its entry names
   * instead, and none if that says nothing.
   *
   * Since: 1.0
   */
  vt_server_props[VT_SERVER_PROP_ALLOWED_NAMES] =
      g_param_spec_boxed ("allowed-names", NULL, NULL, G_TYPE_STRV, readable);
}
