/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-v1-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"

typedef struct {
  guint32 id;
  guint16 asked; /* the port, 0 for any */
  guint16 port;  /* what was opened, 0 while it is not */
} Listen;

void
vt_mux_v1_server_init (VtMuxV1 *self)
{
  self->listens = g_hash_table_new_full (NULL, NULL, NULL, g_free);
}

static void
send_refusal (VtMuxV1 *self, guint16 port, const GError *error)
{
  g_autofree char *text = vt_mux_v1_error_to_text (error);
  VtJsonMessage message = { .type = VT_JSON_LISTEN_ERR, .port = port, .error = text };

  vt_mux_send (self->mux, vt_codec_json_encode (&message), TRUE, FALSE);
}

static void
refuse (VtMuxV1 *self, guint16 port, VtError code, const char *reason)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, (int) code, reason);

  send_refusal (self, port, error);
}

static void
receive_listen (VtMuxV1 *self, guint16 port)
{
  Listen *listen;

  if (port != 0 && g_hash_table_contains (self->by_port, GUINT_TO_POINTER (port)))
    {
      refuse (self, port, VT_ERROR_ADDRESS_IN_USE, _ ("The port is already in use by this client"));
      return;
    }
  if (self->n_unanswered >= VT_MUX_UNANSWERED_MAX)
    {
      refuse (self, port, VT_ERROR_LIMIT, _ ("Too many requests are waiting for an answer"));
      return;
    }

  listen = g_new0 (Listen, 1);
  listen->id = ++self->last_listen_id;
  listen->asked = port;
  self->n_unanswered++;
  g_hash_table_insert (self->listens, GUINT_TO_POINTER (listen->id), listen);
  if (port != 0)
    g_hash_table_insert (self->by_port, GUINT_TO_POINTER (port), listen);
  self->mux->handlers.listen_requested (listen->id, &(VtMuxListen){ .port = port },
                                        self->mux->user_data);
}

static Listen *
find_unanswered (VtMuxV1 *self, guint32 id)
{
  Listen *listen = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (id));

  return listen != NULL && listen->port == 0 ? listen : NULL;
}

static void
forget (VtMuxV1 *self, Listen *listen)
{
  guint16 port = listen->port != 0 ? listen->port : listen->asked;

  if (g_hash_table_lookup (self->by_port, GUINT_TO_POINTER (port)) == listen)
    g_hash_table_remove (self->by_port, GUINT_TO_POINTER (port));
  g_hash_table_remove (self->listens, GUINT_TO_POINTER (listen->id));
}

/* One that is unlistened before it was answered is answered too: a client counts the answers. */
static void
receive_unlisten (VtMuxV1 *self, guint16 port)
{
  Listen *listen = g_hash_table_lookup (self->by_port, GUINT_TO_POINTER (port));
  guint32 id;

  if (listen == NULL)
    return;

  id = listen->id;
  if (listen->port == 0)
    {
      self->n_unanswered--;
      refuse (self, port, VT_ERROR_CANCELLED, _ ("The port is not wanted any more"));
    }
  forget (self, listen);
  self->mux->handlers.unlistened (id, self->mux->user_data);
}

void
vt_mux_v1_server_receive (VtMuxV1 *self, const VtJsonMessage *message)
{
  if (message->type == VT_JSON_LISTEN)
    receive_listen (self, message->port);
  else if (message->type == VT_JSON_UNLISTEN)
    receive_unlisten (self, message->port);
  else if (message->type == VT_JSON_PING)
    vt_mux_v1_send (self->mux, VT_JSON_PONG, 0, 0);
}

/* The owner may answer what the client has taken back meanwhile: nothing happens. */
void
vt_mux_v1_server_accept (VtMux *mux, guint32 id, const char *address, guint16 port)
{
  VtMuxV1 *self = mux->protocol_state;
  Listen *listen = find_unanswered (self, id);

  g_assert (port != 0);
  if (listen == NULL)
    return;

  self->n_unanswered--;
  listen->port = port;
  if (listen->asked != port)
    g_hash_table_insert (self->by_port, GUINT_TO_POINTER (port), listen);
  vt_mux_v1_send (mux, VT_JSON_LISTEN_OK, port, 0);
}

void
vt_mux_v1_server_refuse (VtMux *mux, guint32 id, const GError *error, unsigned int retry_after)
{
  VtMuxV1 *self = mux->protocol_state;
  Listen *listen = find_unanswered (self, id);

  if (listen == NULL)
    return;

  self->n_unanswered--;
  send_refusal (self, listen->asked, error);
  forget (self, listen);
}

gboolean
vt_mux_v1_server_open_stream (VtMux *mux,
                              guint32 id,
                              guint32 listen_id,
                              GSocketAddress *user,
                              GSocketAddress *local,
                              GError **error)
{
  VtMuxV1 *self = mux->protocol_state;
  Listen *listen = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (listen_id));

  if (listen == NULL || listen->port == 0)
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_CANCELLED,
                           _ ("The port is not open any more"));
      return FALSE;
    }
  vt_mux_v1_send (mux, VT_JSON_CONNECT, listen->port, id);
  return TRUE;
}
