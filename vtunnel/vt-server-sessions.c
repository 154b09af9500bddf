/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include <glib/gi18n-lib.h>
#include "vt-error.h"
#include "vt-forward.h"
#include "vt-session.h"
#include "vt-stream.h"

#include "vt-loopback-private.h"
#include "vt-text-private.h"

/* Where the client has an entry in an access file, that decides, and otherwise the server's own
 * settings do. */
static gboolean
check_port (VtServer *self, VtAccessEntry *entry, guint16 port, GError **error)
{
  VtPortRanges *ports = entry != NULL && entry->ports != NULL ? entry->ports : self->allowed_ports;

  if (entry != NULL ? vt_access_entry_allows_port (entry, self->allowed_ports, port)
                    : port == 0 || vt_port_ranges_contain (self->allowed_ports, port))
    return TRUE;
  if (entry != NULL && port != 0 && ports == self->allowed_ports)
    g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
                 _ ("Port %u is not allowed: this client may have the ports %s here, from 1024 on"),
                 port, vt_port_ranges_get_text (ports));
  else
    g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
                 _ ("Port %u is not allowed: clients may have the ports %s here"), port,
                 vt_port_ranges_get_text (ports));
  return FALSE;
}

static gboolean
check_address (VtServer *self, VtAccessEntry *entry, const char *address, GError **error)
{
  g_autofree char *escaped = NULL;

  if (entry != NULL ? vt_access_entry_allows_address (entry, address)
                    : self->allow_anonymous || vt_loopback_is_address (address))
    return TRUE;
  escaped = vt_text_escape (address, -1);
  g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
               entry != NULL
                   ? _ ("This client is not allowed to listen on %s")
                   : _ ("Anonymous clients are not allowed to listen on %s, only on loopback"
                        " addresses"),
               escaped);
  return FALSE;
}

/* What the server's settings say to a forward. */
static gboolean
check_forward (VtServer *self, VtAccessEntry *entry, VtForward *forward, GError **error)
{
  if (vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP)
    return vt_server_check_names (self, entry, forward, error);
  if (vt_forward_get_listen_kind (forward) != VT_LISTEN_KIND_NONE)
    return check_port (self, entry, vt_forward_get_listen_port (forward), error)
           && check_address (self, entry, vt_forward_get_listen_address (forward), error);
  if (self->allow_streams)
    return TRUE;
  g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                       _ ("This server has no application that takes streams, only ports"));
  return FALSE;
}

static gboolean
authorise_cb (VtServerSession *work, VtForward *forward, GError **error, void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);
  g_autoptr(VtSession) session = g_object_ref (vt_server_session_get_session (work));
  VtAccessEntry *entry = vt_server_get_entry (self, work);
  gboolean allowed = FALSE;

  if (!check_forward (self, entry, forward, error))
    return FALSE;
  g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_LISTEN_REQUESTED], 0, session, forward,
                 &allowed);
  if (!allowed)
    g_set_error_literal (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
                         _ ("This forward is not allowed by the server"));
  return allowed;
}

static gboolean
expects_proxy_cb (VtServerSession *work, guint16 port, void *user_data)
{
  return vt_server_expects_proxy (user_data, port);
}

static void
stream_opened_cb (VtServerSession *work, VtStream *stream, void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);
  g_autoptr(VtSession) session = g_object_ref (vt_server_session_get_session (work));
  g_autoptr(VtStream) kept = g_object_ref (stream);

  g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_STREAM_OPENED], 0, session, kept);
}

static void
stream_closed_cb (VtServerSession *work, VtStream *stream, const GError *error, void *user_data)
{
  g_autoptr(VtServer) self = NULL;
  g_autoptr(VtSession) session = NULL;

  /* Being disposed of. */
  if (VT_SERVER (user_data)->front == NULL)
    return;
  self = g_object_ref (user_data);
  session = g_object_ref (vt_server_session_get_session (work));
  g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_STREAM_CLOSED], 0, session, stream,
                 error);
}

/* Those that keep the port, or the names, for a client that has lost its connection. */
static GPtrArray *
list_holders (VtServer *self, VtForward *forward)
{
  gboolean has_names = vt_forward_get_listen_kind (forward) == VT_LISTEN_KIND_HTTP;
  const char *address = vt_forward_get_listen_address (forward);
  guint16 port = vt_forward_get_listen_port (forward);
  g_autoptr(GPtrArray) all = vt_server_list_work (self);
  GPtrArray *holders = has_names ? vt_server_list_name_holders (self, forward) : g_ptr_array_new ();

  for (unsigned int i = 0; port != 0 && i < all->len; i++)
    if (vt_server_session_is_suspended (all->pdata[i])
        && vt_server_session_has_port (all->pdata[i], address, port))
      g_ptr_array_add (holders, all->pdata[i]);
  return holders;
}

static gboolean
is_same_user (VtServerSession *work, VtServerSession *other)
{
  const char *user = vt_session_get_user (vt_server_session_get_session (work));

  return user != NULL
         && g_strcmp0 (user, vt_session_get_user (vt_server_session_get_session (other))) == 0;
}

/* A client that was started anew does not know the session that it had, but whose it is. */
static gboolean
free_port_cb (VtServerSession *work, VtForward *forward, unsigned int *retry_after, void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);
  g_autoptr(GPtrArray) holders = list_holders (self, forward);
  g_autoptr(GError) error = NULL;

  for (unsigned int i = 0; i < holders->len; i++)
    if (!is_same_user (work, holders->pdata[i]))
      *retry_after = MAX (*retry_after, vt_server_session_get_remaining (holders->pdata[i]));
  if (holders->len == 0 || *retry_after > 0)
    return FALSE;

  error = g_error_new_literal (VT_ERROR, VT_ERROR_NOT_RESUMED,
                               _ ("The session was replaced by a new one of the same user"));
  for (unsigned int i = 0; i < holders->len; i++)
    if (vt_server_has_work (self, holders->pdata[i]))
      vt_server_session_abandon (holders->pdata[i], error);
  return TRUE;
}

static void
forget (VtServer *self, VtServerSession *work)
{
  const VtCredentials *credentials = vt_server_session_get_credentials (work);

  if (credentials != NULL)
    g_hash_table_remove (self->names, credentials->session);
  g_hash_table_remove (self->work, work);
  vt_server_set_grant (self, work, NULL);
  vt_list_remove (self->sessions, vt_server_session_get_session (work));
}

static void
closed_cb (VtServerSession *work, const GError *error, void *user_data)
{
  g_autoptr(VtServer) self = g_object_ref (user_data);
  g_autoptr(VtSession) session = g_object_ref (vt_server_session_get_session (work));
  g_autoptr(GError) revocation = vt_server_take_revocation (self, work);

  forget (self, work);
  vt_server_session_free (work);
  g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_SESSION_CLOSED], 0, session,
                 revocation != NULL ? revocation : error);
  vt_session_set_connected (session, FALSE);
  vt_server_check_closed (self);
}

static void
fill_config (VtServer *self, VtTrunkConfig *config, const VtControl *hello, VtAccessEntry *entry)
{
  vt_mux_config_init (&config->mux, VT_MUX_SERVER);
  config->mux.protocol = hello != NULL ? 2 : 1;
  config->mux.ping_interval = (gint64) self->ping_interval * G_TIME_SPAN_SECOND;
  config->mux.ping_timeout = (gint64) self->ping_timeout * G_TIME_SPAN_SECOND;
  config->mux.max_streams =
      entry != NULL ? MIN (self->max_streams, entry->max_streams) : self->max_streams;
  config->mux.max_message = self->max_message_size;
  config->mux.max_json_depth = self->max_json_depth;
  config->mux.max_window = self->max_window;
  config->mux.max_opening = self->max_opening;
  config->mux.max_buffer = (size_t) MIN (self->max_buffer, G_MAXSIZE);
  config->mux.max_control_rate =
      self->max_control_rate == 0 ? 0 : MAX (self->max_control_rate, self->max_forwards);
  config->mux.max_ping_rate = self->max_ping_rate;
  config->mux.max_reset_rate = self->max_reset_rate;
  if (hello == NULL)
    return;
  config->peer = hello->limits;
  config->resume_timeout = (gint64) self->resume_timeout * G_TIME_SPAN_SECOND;
}

void
vt_server_begin_session (VtServer *self,
                         VtLink *link,
                         GSocketAddress *client,
                         VtAccessGrant *grant,
                         const VtControl *hello,
                         const VtCredentials *credentials)
{
  static const VtServerSessionHandlers handlers = {
    .authorise = authorise_cb,
    .free_port = free_port_cb,
    .expects_proxy = expects_proxy_cb,
    .has_names = vt_server_has_names,
    .make_url = vt_server_make_url,
    .names_released = vt_server_names_released,
    .stream_opened = stream_opened_cb,
    .stream_closed = stream_closed_cb,
    .closed = closed_cb,
  };
  g_autoptr(VtServer) alive = g_object_ref (self);
  g_autoptr(VtSession) session = NULL;
  VtAccessEntry *entry = grant != NULL ? grant->entry : NULL;
  VtServerSessionConfig config = {
    .bind_address = self->bind_address,
    .max_forwards = self->max_forwards,
    .hosts = self->hosts,
    .max_accept_rate = self->max_accept_rate,
    .credentials = credentials,
    .counters = self->counters,
  };
  VtServerSession *work;

  if (entry != NULL)
    {
      config.user = entry->name;
      config.bind_address = vt_access_entry_get_place (entry, self->bind_address);
      config.addresses = (const char *const *) entry->addresses;
      config.max_forwards = MIN (self->max_forwards, entry->max_forwards);
    }
  self->counters->sessions_opened[hello != NULL]++;
  fill_config (self, &config.trunk, hello, entry);
  work = vt_server_session_new (link, client, &config, &handlers, self);
  session = g_object_ref (vt_server_session_get_session (work));
  g_hash_table_add (self->work, work);
  vt_server_set_grant (self, work, grant);
  if (credentials != NULL)
    g_hash_table_insert (self->names, vt_server_session_get_credentials (work)->session, work);
  vt_list_append (self->sessions, session);
  if (vt_list_contains (self->sessions, session))
    g_signal_emit (self, vt_server_signals[VT_SERVER_SIGNAL_SESSION_OPENED], 0, session);
}

GPtrArray *
vt_server_list_work (VtServer *self)
{
  GPtrArray *all = g_ptr_array_sized_new (g_hash_table_size (self->work));
  GHashTableIter iter;
  void *work;

  g_hash_table_iter_init (&iter, self->work);
  while (g_hash_table_iter_next (&iter, &work, NULL))
    g_ptr_array_add (all, work);
  return all;
}

gboolean
vt_server_has_work (VtServer *self, VtServerSession *work)
{
  return g_hash_table_contains (self->work, work);
}

/* Whoever watches a list or a forward is still told, and could do anything. */
void
vt_server_drop_work (VtServer *self)
{
  GHashTableIter iter;
  void *key;

  for (g_hash_table_iter_init (&iter, self->work); g_hash_table_iter_next (&iter, &key, NULL);
       g_hash_table_iter_init (&iter, self->work))
    {
      VtServerSession *work = key;
      g_autoptr(VtSession) session = g_object_ref (vt_server_session_get_session (work));

      forget (self, work);
      vt_server_session_free (work);
      vt_session_set_connected (session, FALSE);
    }
}
