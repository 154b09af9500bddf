/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vts-values.h"

static gint64
to_real_time (gint64 monotonic)
{
  return monotonic != 0 ? g_get_real_time () + (monotonic - g_get_monotonic_time ()) : 0;
}

static void
add (GVariantBuilder *builder, const char *key, GVariant *value)
{
  g_variant_builder_add (builder, "{sv}", key, value);
}

static const char *
get_state_word (VtForward *forward)
{
  switch (vt_forward_get_state (forward))
    {
    case VT_FORWARD_STATE_PENDING:
      return "pending";
    case VT_FORWARD_STATE_LISTENING:
      return "listening";
    case VT_FORWARD_STATE_FAILED:
      return "failed";
    case VT_FORWARD_STATE_TARGET_DOWN:
      return "target-down";
    case VT_FORWARD_STATE_IDLE:
    default:
      return "idle";
    }
}

static GVariant *
write_forward (const VtsForward *settings, VtForward *forward)
{
  const GError *error = vt_forward_get_error (forward);
  const char *url = vt_forward_get_url (forward);
  g_autofree char *reason = g_utf8_make_valid (error != NULL ? error->message : "", -1);
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add (&builder, "listen", g_variant_new_string (settings->listen));
  add (&builder, "target", g_variant_new_string (settings->target));
  add (&builder, "bound-port", g_variant_new_uint16 (vt_forward_get_bound_port (forward)));
  add (&builder, "url", g_variant_new_string (url != NULL ? url : ""));
  add (&builder, "state", g_variant_new_string (get_state_word (forward)));
  add (&builder, "error", g_variant_new_string (reason));
  add (&builder, "n-streams", g_variant_new_uint32 (vt_forward_get_n_streams (forward)));
  add (&builder, "bytes-sent", g_variant_new_uint64 (vt_forward_get_bytes_sent (forward)));
  add (&builder, "bytes-received", g_variant_new_uint64 (vt_forward_get_bytes_received (forward)));
  return g_variant_builder_end (&builder);
}

static GVariant *
write_forwards (VtsTunnel *tunnel)
{
  GPtrArray *forwards = vts_tunnel_get_forwards (tunnel);
  GPtrArray *settings = vts_tunnel_get_settings (tunnel)->forwards;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aa{sv}"));
  for (unsigned int i = 0; i < forwards->len; i++)
    g_variant_builder_add_value (&builder, write_forward (settings->pdata[i], forwards->pdata[i]));
  return g_variant_builder_end (&builder);
}

static char *
describe_address (VtStream *stream)
{
  GSocketAddress *address = vt_stream_get_user_address (stream);

  return address != NULL ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address))
                         : g_strdup ("");
}

/* Empty for a stream whose forward was taken back. */
static const char *
find_listen (VtsTunnel *tunnel, VtForward *forward)
{
  const VtsForward *settings = NULL;
  unsigned int index = 0;

  if (!g_ptr_array_find (vts_tunnel_get_forwards (tunnel), forward, &index))
    return "";
  settings = vts_tunnel_get_settings (tunnel)->forwards->pdata[index];
  return settings->listen;
}

static gint64
get_opened_at (VtStream *stream)
{
  GDateTime *at = vt_stream_get_opened_at (stream);

  return at != NULL ? g_date_time_to_unix (at) * G_USEC_PER_SEC + g_date_time_get_microsecond (at)
                    : 0;
}

static GVariant *
write_stream (VtsTunnel *tunnel, VtStream *stream)
{
  g_autofree char *address = describe_address (stream);
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add (&builder, "id", g_variant_new_uint32 (vt_stream_get_id (stream)));
  add (&builder, "listen",
       g_variant_new_string (find_listen (tunnel, vt_stream_get_forward (stream))));
  add (&builder, "user-address", g_variant_new_string (address));
  add (&builder, "opened-at", g_variant_new_int64 (get_opened_at (stream)));
  add (&builder, "bytes-sent", g_variant_new_uint64 (vt_stream_get_bytes_sent (stream)));
  add (&builder, "bytes-received", g_variant_new_uint64 (vt_stream_get_bytes_received (stream)));
  return g_variant_builder_end (&builder);
}

static GVariant *
write_streams (VtsTunnel *tunnel, VtClient *client)
{
  GListModel *streams = client != NULL ? vt_client_get_streams (client) : NULL;
  unsigned int n = streams != NULL ? g_list_model_get_n_items (streams) : 0;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aa{sv}"));
  for (unsigned int i = 0; i < n; i++)
    {
      g_autoptr(VtStream) stream = g_list_model_get_item (streams, i);

      g_variant_builder_add_value (&builder, write_stream (tunnel, stream));
    }
  return g_variant_builder_end (&builder);
}

GVariant *
vts_values_write_statistics (VtsTunnel *tunnel)
{
  VtClient *client = vts_tunnel_get_client (tunnel);
  VtsTotals totals;
  GVariantBuilder builder;

  vts_tunnel_get_totals (tunnel, &totals);
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add (&builder, "bytes-sent", g_variant_new_uint64 (totals.bytes_sent));
  add (&builder, "bytes-received", g_variant_new_uint64 (totals.bytes_received));
  add (&builder, "streams-opened", g_variant_new_uint64 (totals.streams_opened));
  add (&builder, "n-resumed",
       g_variant_new_uint32 (client != NULL ? vt_client_get_n_resumed (client) : 0));
  add (&builder, "rtt", g_variant_new_int64 (client != NULL ? vt_client_get_rtt (client) : -1));
  add (&builder, "last-seen",
       g_variant_new_int64 (client != NULL ? to_real_time (vt_client_get_last_seen (client)) : 0));
  add (&builder, "protocol",
       g_variant_new_uint32 (client != NULL ? vt_client_get_protocol (client) : 0));
  add (&builder, "forwards", write_forwards (tunnel));
  add (&builder, "streams", write_streams (tunnel, client));
  return g_variant_builder_end (&builder);
}
