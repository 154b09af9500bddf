/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-authorization-private.h"
#include "vt-front-upgrade-private.h"
#include "vt-secret-private.h"

/* The time of day may be set, so it is looked at from time to time. */
#define LONGEST_LOOK (30 * G_TIME_SPAN_SECOND)

#define REFUSED(status, text) ((VtUpgradeVerdict){ (status), (text), 0 })

static GInetAddress *
get_inet_address (GSocketAddress *address)
{
  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return NULL;
  return g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));
}

static gboolean
is_trusted_proxy (VtServer *self, GSocketAddress *address)
{
  GInetAddress *inet = get_inet_address (address);

  return self->proxies != NULL && inet != NULL && vt_trusted_proxies_contain (self->proxies, inet);
}

GInetAddress *
vt_server_get_origin (VtServer *self, GSocketAddress *client)
{
  GInetAddress *inet = get_inet_address (client);

  if (inet == NULL || g_inet_address_get_is_loopback (inet) || is_trusted_proxy (self, client))
    return NULL;
  return inet;
}

/* Where a trusted proxy says that the client is. FALSE if it cannot be said which of them says
 * so. `known` becomes FALSE if nobody does. */
static gboolean
ask_proxies (VtServer *self, SoupServerMessage *message, VtFrontGuest *guest, gboolean *known)
{
  g_autoptr(GSocketAddress) client = NULL;
  g_autofree char *forwarded = g_strdup (vt_upgrade_get_header_list (message, "Forwarded"));
  const char *x_forwarded_for = vt_upgrade_get_header_list (message, "X-Forwarded-For");
  VtForwarded found = vt_forwarded_find_client (self->proxies, forwarded, x_forwarded_for, &client);

  *known = found == VT_FORWARDED_KNOWN;
  if (client != NULL)
    g_set_object (&guest->address, client);
  return found != VT_FORWARDED_CONFLICT;
}

/* Behind a proxy that is not known as one, everybody would be at the proxy's address: where clients
 * are told apart by their addresses, that is no place to let anybody in from. */
static gboolean
locate (VtServer *self,
        SoupServerMessage *message,
        VtFrontGuest *guest,
        gboolean *known,
        VtUpgradeVerdict *verdict)
{
  *known = get_inet_address (guest->address) != NULL;
  if (is_trusted_proxy (self, guest->address))
    {
      if (ask_proxies (self, message, guest, known))
        return TRUE;
      *verdict =
          REFUSED (SOUP_STATUS_FORBIDDEN, "Forwarded and X-Forwarded-For do not say the same:"
                                          " the proxy has to write both, or remove one.\n");
      return FALSE;
    }
  if (self->access == NULL || !vt_upgrade_is_forwarded (message))
    return TRUE;
  *verdict =
      REFUSED (SOUP_STATUS_FORBIDDEN, "A proxy has forwarded this request, and it is not among"
                                      " the server's trusted-proxies.\n");
  return FALSE;
}

/* NULL with `shown` FALSE if nothing was shown at all. */
static VtAccessGrant *
check_credentials (VtServer *self, SoupServerMessage *message, gboolean *shown)
{
  /* Several headers come as one, which is no token. */
  const char *value = vt_upgrade_get_header_list (message, "Authorization");
  g_autofree char *name = NULL;
  char *token = NULL;
  VtAccessGrant *grant = NULL;

  *shown = value != NULL;
  if (value != NULL && vt_authorization_parse (value, &name, &token))
    grant = vt_access_check (self->access, name, token);
  vt_secret_free (token);
  return grant;
}

static void
note_failure (VtServer *self, GInetAddress *address)
{
  gboolean waited = vt_penalties_has_waited (self->penalties, address);
  unsigned int seconds = vt_penalties_add_failure (self->penalties, address);
  g_autofree char *text = NULL;

  if (seconds == 0 || waited)
    return;
  text = g_inet_address_to_string (address);
  g_message (_ ("Several wrong tokens came from %s, which has to wait now before it may try again"),
             text);
}

static gboolean
authenticate (VtServer *self,
              SoupServerMessage *message,
              VtFrontGuest *guest,
              GInetAddress *address,
              VtUpgradeVerdict *verdict)
{
  unsigned int wait = address != NULL ? vt_penalties_get_wait (self->penalties, address) : 0;
  gboolean shown;

  if (wait > 0)
    {
      *verdict = REFUSED (VT_UPGRADE_TOO_MANY_REQUESTS, "Several wrong tokens came from there.\n");
      verdict->retry_after = wait;
      return FALSE;
    }
  guest->grant = check_credentials (self, message, &shown);
  if (!shown && guest->certificate != NULL)
    guest->grant = vt_access_check_certificate (self->access, guest->certificate);
  if (guest->grant != NULL)
    return TRUE;
  if (shown && address != NULL)
    note_failure (self, address);
  *verdict = REFUSED (SOUP_STATUS_UNAUTHORIZED, "This server asks for a token.\n");
  return FALSE;
}

gboolean
vt_server_recognise (VtServer *self,
                     SoupServerMessage *message,
                     VtFrontGuest *guest,
                     VtUpgradeVerdict *verdict)
{
  gboolean known;

  if (!locate (self, message, guest, &known, verdict))
    return FALSE;
  if (self->access == NULL)
    return TRUE;
  return authenticate (self, message, guest, known ? get_inet_address (guest->address) : NULL,
                       verdict);
}

void
vt_server_set_grant (VtServer *self, VtServerSession *work, VtAccessGrant *grant)
{
  if (grant == NULL)
    {
      g_hash_table_remove (self->grants, work);
      g_hash_table_remove (self->revoked, work);
    }
  else
    g_hash_table_insert (self->grants, work, vt_access_grant_ref (grant));
  if (grant != NULL && grant->entry->expires != G_MAXINT64 && self->expiry != NULL)
    vt_timer_start (self->expiry, 0);
}

VtAccessEntry *
vt_server_get_entry (VtServer *self, VtServerSession *work)
{
  VtAccessGrant *grant = g_hash_table_lookup (self->grants, work);

  return grant != NULL ? grant->entry : NULL;
}

gboolean
vt_server_is_granted (VtServer *self, VtAccessGrant *grant)
{
  g_autoptr(VtAccessGrant) renewed = NULL;

  if (self->access == NULL || grant == NULL)
    return TRUE;
  renewed = vt_access_renew (self->access, grant);
  return renewed != NULL;
}

/* Of the same user, the one that has waited for its client for longest; NULL if there is none.
 * `n_sessions` is how many there are. */
static VtServerSession *
find_oldest_suspended (VtServer *self, VtAccessGrant *grant, unsigned int *n_sessions)
{
  GHashTableIter iter;
  void *key;
  void *value;
  VtServerSession *oldest = NULL;

  *n_sessions = 0;
  g_hash_table_iter_init (&iter, self->grants);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      VtAccessGrant *other = value;

      if (!g_str_equal (other->entry->name, grant->entry->name))
        continue;
      (*n_sessions)++;
      if (vt_server_session_is_suspended (key)
          && (oldest == NULL
              || vt_server_session_get_remaining (key) < vt_server_session_get_remaining (oldest)))
        oldest = key;
    }
  return oldest;
}

gboolean
vt_server_make_room (VtServer *self, VtAccessGrant *grant)
{
  g_autoptr(GError) error = NULL;
  VtServerSession *oldest;
  unsigned int n_sessions;

  if (grant == NULL)
    return TRUE;
  oldest = find_oldest_suspended (self, grant, &n_sessions);
  if (n_sessions < grant->entry->max_sessions)
    return TRUE;
  if (oldest == NULL || n_sessions > grant->entry->max_sessions)
    return FALSE;
  error = g_error_new_literal (VT_ERROR, VT_ERROR_NOT_RESUMED,
                               _ ("The session was replaced by a new one of the same user"));
  vt_server_session_abandon (oldest, error);
  return TRUE;
}

/* Those that may stay go on with what is granted now. */
static void
look_at_grant (VtServer *self, VtServerSession *work)
{
  VtAccessGrant *grant = g_hash_table_lookup (self->grants, work);
  g_autoptr(VtAccessGrant) renewed = NULL;

  if (grant == NULL)
    return;
  renewed = vt_access_renew (self->access, grant);
  if (renewed != NULL)
    {
      g_hash_table_insert (self->grants, work, g_steal_pointer (&renewed));
      return;
    }
  g_hash_table_add (self->revoked, work);
  vt_server_session_close (work, SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION, "access was taken back");
}

GError *
vt_server_take_revocation (VtServer *self, VtServerSession *work)
{
  if (!g_hash_table_remove (self->revoked, work))
    return NULL;
  return g_error_new_literal (VT_ERROR, VT_ERROR_NOT_AUTHORISED,
                              _ ("The client's access was taken back, or is over"));
}

static gint64
find_next_expiry (VtServer *self)
{
  GHashTableIter iter;
  void *value;
  gint64 next = G_MAXINT64;

  g_hash_table_iter_init (&iter, self->grants);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    next = MIN (next, ((VtAccessGrant *) value)->entry->expires);
  return next;
}

static void
look_at_grants (VtServer *self)
{
  g_autoptr(GPtrArray) all = vt_server_list_work (self);
  gint64 next;

  for (unsigned int i = 0; self->access != NULL && i < all->len; i++)
    if (vt_server_has_work (self, all->pdata[i]))
      look_at_grant (self, all->pdata[i]);
  next = find_next_expiry (self);
  if (self->access != NULL && next != G_MAXINT64 && self->expiry != NULL)
    vt_timer_start (self->expiry,
                    CLAMP (next - g_get_real_time (), G_TIME_SPAN_MILLISECOND, LONGEST_LOOK));
}

static void
expiry_cb (void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);

  look_at_grants (self);
}

static void
access_changed_cb (VtAccess *access, VtServer *self)
{
  g_autoptr(VtServer) alive = g_object_ref (self);

  look_at_grants (self);
}

void
vt_server_init_access (VtServer *self)
{
  self->penalties = vt_penalties_new (self->clock);
  self->grants = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) vt_access_grant_unref);
  self->revoked = g_hash_table_new (NULL, NULL);
  self->expiry = vt_timer_new (self->clock, "expiry of access", expiry_cb, self);
}

void
vt_server_drop_access (VtServer *self)
{
  if (self->access != NULL)
    g_signal_handlers_disconnect_by_func (self->access, access_changed_cb, self);
  g_clear_object (&self->access);
  g_clear_pointer (&self->expiry, vt_timer_free);
}

void
vt_server_clear_access (VtServer *self)
{
  vt_penalties_free (self->penalties);
  g_hash_table_unref (self->grants);
  g_hash_table_unref (self->revoked);
  g_clear_pointer (&self->proxies, vt_trusted_proxies_free);
  g_strfreev (self->proxy_texts);
}

/**
 * vt_server_get_access: (get-property access)
 * @self: a server
 *
 * Gets who may be a client.
 *
 * Returns: (transfer none) (nullable): the access, or %NULL if nobody is asked for a token
 *
 * Since: 1.0
 */
VtAccess *
vt_server_get_access (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return self->access;
}

/**
 * vt_server_set_access: (set-property access)
 * @self: a server
 * @access: (nullable): who may be a client, or %NULL to ask nobody for a token
 *
 * Sets who may be a client, see [property@Vt.Server:access]. Those that came in with a token which
 * @access does not know are sent away.
 *
 * Since: 1.0
 */
void
vt_server_set_access (VtServer *self, VtAccess *access)
{
  g_autoptr(VtServer) alive = NULL;

  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (access == NULL || VT_IS_ACCESS (access));

  if (self->access == access)
    return;
  alive = g_object_ref (self);
  if (self->access != NULL)
    g_signal_handlers_disconnect_by_func (self->access, access_changed_cb, self);
  g_set_object (&self->access, access);
  if (access != NULL)
    g_signal_connect (access, "changed", G_CALLBACK (access_changed_cb), self);
  look_at_grants (self);
  g_object_notify_by_pspec (G_OBJECT (self), vt_server_props[VT_SERVER_PROP_ACCESS]);
}

/**
 * vt_server_get_trusted_proxies: (get-property trusted-proxies)
 * @self: a server
 *
 * Gets which proxies are believed when they say who the client is.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): addresses and networks, or %NULL
 *   for none
 *
 * Since: 1.0
 */
const char *const *
vt_server_get_trusted_proxies (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return (const char *const *) self->proxy_texts;
}

/**
 * vt_server_set_trusted_proxies:
 * @self: a server
 * @proxies: (nullable) (array zero-terminated=1): addresses such as `192.0.2.1` and networks such
 *   as `10.0.0.0/8`, or %NULL for none
 * @error: return location for an error
 *
 * Sets which proxies are believed when they say who the client is, from now on. See
 * [property@Vt.Server:trusted-proxies].
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT if one of @proxies is written
 *   otherwise, which changes nothing
 *
 * Since: 1.0
 */
gboolean
vt_server_set_trusted_proxies (VtServer *self, const char *const *proxies, GError **error)
{
  VtTrustedProxies *parsed;

  g_return_val_if_fail (VT_IS_SERVER (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  parsed = vt_trusted_proxies_parse (proxies, error);
  if (parsed == NULL)
    return FALSE;
  g_clear_pointer (&self->proxies, vt_trusted_proxies_free);
  g_clear_pointer (&self->proxy_texts, g_strfreev);
  self->proxies = parsed;
  self->proxy_texts = g_strdupv ((char **) proxies);
  g_object_notify_by_pspec (G_OBJECT (self), vt_server_props[VT_SERVER_PROP_TRUSTED_PROXIES]);
  return TRUE;
}

/**
 * vt_server_get_client_authorities: (get-property client-authorities)
 * @self: a server
 *
 * Gets who may have signed the certificates that clients show.
 *
 * Returns: (transfer none) (nullable): the authorities, or %NULL if no client is asked for a
 *   certificate
 *
 * Since: 1.0
 */
GTlsDatabase *
vt_server_get_client_authorities (VtServer *self)
{
  g_return_val_if_fail (VT_IS_SERVER (self), NULL);

  return self->client_authorities;
}

/**
 * vt_server_set_client_authorities: (set-property client-authorities)
 * @self: a server
 * @authorities: (nullable): a database with their certificates, such as a
 *   [iface@Gio.TlsFileDatabase], or %NULL to ask no client for a certificate
 *
 * Sets who may have signed the certificates that clients show, for connections that come from now
 * on. See [property@Vt.Server:client-authorities].
 *
 * Since: 1.0
 */
void
vt_server_set_client_authorities (VtServer *self, GTlsDatabase *authorities)
{
  g_return_if_fail (VT_IS_SERVER (self));
  g_return_if_fail (authorities == NULL || G_IS_TLS_DATABASE (authorities));

  if (g_set_object (&self->client_authorities, authorities))
    g_object_notify_by_pspec (G_OBJECT (self), vt_server_props[VT_SERVER_PROP_CLIENT_AUTHORITIES]);
}
