/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-v2-private.h"

#include <glib/gi18n-lib.h>

#include "vt-error.h"

typedef struct {
  gboolean open;
} Listen;

void
vt_mux_v2_server_init (VtMuxV2 *self)
{
  self->listens = g_hash_table_new_full (NULL, NULL, NULL, g_free);
}

static void
send_refusal (VtMuxV2 *self, guint32 id, const GError *error, unsigned int retry_after)
{
  const VtControl refusal = {
    .type = VT_CONTROL_LISTEN_ERR,
    .id = id,
    .code = error->domain == VT_ERROR ? error->code : VT_ERROR_FAILED,
    .error = error->message,
    .retry_after = retry_after,
  };

  vt_mux_v2_send_control (self, &refusal);
}

static void
receive_listen (VtMuxV2 *self, const VtControl *control)
{
  const VtMuxListen listen = {
    .kind = control->kind,
    .address = control->address,
    .port = control->port,
    .names = (const char *const *) control->names,
  };
  g_autoptr(GError) error = NULL;

  if (control->id <= self->last_listen)
    {
      vt_mux_v2_fail (self, "A listen whose id is not above all before");
      return;
    }
  self->last_listen = control->id;
  if (self->n_unanswered >= VT_MUX_UNANSWERED_MAX)
    {
      error = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT,
                                   _ ("Too many requests are waiting for an answer"));
      send_refusal (self, control->id, error, 0);
      return;
    }
  self->n_unanswered++;
  g_hash_table_insert (self->listens, GUINT_TO_POINTER (control->id), g_new0 (Listen, 1));
  self->mux->handlers.listen_requested (control->id, &listen, self->mux->user_data);
}

/* One that was not answered yet has this for its answer. */
static void
receive_unlisten (VtMuxV2 *self, guint32 id)
{
  const VtControl done = { .type = VT_CONTROL_UNLISTEN_OK, .id = id };
  Listen *listen = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (id));

  if (listen != NULL)
    {
      self->n_unanswered -= listen->open ? 0 : 1;
      g_hash_table_remove (self->listens, GUINT_TO_POINTER (id));
      self->mux->handlers.unlistened (id, self->mux->user_data);
    }
  vt_mux_v2_send_control (self, &done);
}

void
vt_mux_v2_server_receive (VtMuxV2 *self, const VtControl *control)
{
  if (control->type == VT_CONTROL_LISTEN)
    receive_listen (self, control);
  else if (control->type == VT_CONTROL_UNLISTEN)
    receive_unlisten (self, control->id);
}

/* The owner may answer what the client has taken back meanwhile: nothing happens. */
static Listen *
take_unanswered (VtMuxV2 *self, guint32 id)
{
  Listen *listen = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (id));

  if (listen == NULL || listen->open)
    return NULL;
  self->n_unanswered--;
  return listen;
}

static void
accept (VtMux *mux, const VtControl *accepted)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);
  Listen *listen = take_unanswered (self, accepted->id);

  if (listen == NULL)
    return;
  listen->open = TRUE;
  vt_mux_v2_send_control (self, accepted);
}

void
vt_mux_v2_server_accept (VtMux *mux, guint32 id, const char *address, guint16 port)
{
  const VtControl accepted = {
    .type = VT_CONTROL_LISTEN_OK,
    .id = id,
    .address = (char *) address,
    .port = port,
  };

  accept (mux, &accepted);
}

void
vt_mux_v2_server_accept_names (VtMux *mux, guint32 id, const char *url)
{
  const VtControl accepted = { .type = VT_CONTROL_LISTEN_OK, .id = id, .url = (char *) url };

  accept (mux, &accepted);
}

void
vt_mux_v2_server_refuse (VtMux *mux, guint32 id, const GError *error, unsigned int retry_after)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);

  if (take_unanswered (self, id) == NULL)
    return;
  g_hash_table_remove (self->listens, GUINT_TO_POINTER (id));
  send_refusal (self, id, error, retry_after);
}

gboolean
vt_mux_v2_server_open_stream (VtMux *mux,
                              guint32 id,
                              guint32 listen_id,
                              GSocketAddress *user,
                              GSocketAddress *local,
                              GError **error)
{
  VtMuxV2 *self = vt_mux_v2_get (mux);
  Listen *listen = g_hash_table_lookup (self->listens, GUINT_TO_POINTER (listen_id));
  VtBinaryAddress from, to;

  if (listen == NULL || !listen->open)
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_CANCELLED,
                           _ ("The port is not open any more"));
      return FALSE;
    }
  vt_mux_address_set (&from, user);
  vt_mux_address_set (&to, local);
  vt_mux_v2_put_open (self, id, listen_id, &from, &to);
  return TRUE;
}
