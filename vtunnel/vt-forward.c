/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-forward-private.h"

#include "vt-enum-types.h"
#include "vt-forward-struct-private.h"

/**
 * VtForward:
 *
 * A port that a server opens for a client, and where its connections go.
 *
 * There may be no port at all: a forward of the kind %VT_LISTEN_KIND_HTTP has host names, by which
 * the requests to a port of the server's are told apart; streams of one of the kind
 * %VT_LISTEN_KIND_NONE are opened by the application on the server's side, with
 * [method@Vt.Session.open_stream_async].
 *
 * An application makes a forward, gives it to [method@Vt.Client.listen_async], and then watches it:
 * all that happens to it shows in its properties. On the server's side, forwards are made by the
 * [class@Vt.Server], and tell what a client has asked for.
 *
 * A forward with a [property@Vt.Forward:target] connects each stream to it. A forward without one
 * offers each stream to the application, by [signal@Vt.Forward::incoming].
 *
 * ```c
 * g_autoptr(VtTarget) target = vt_target_parse ("localhost:3000", NULL);
 * g_autoptr(VtForward) forward = vt_forward_new (9000, target);
 *
 * vt_client_listen_async (client, forward, NULL, listened_cb, NULL);
 * ```
 *
 * A forward belongs to one client at a time. When that client no longer listens for it, it can be
 * given to another. It is used from the thread of its client.
 *
 * Since: 1.0
 */

enum { SIGNAL_INCOMING, N_SIGNALS };

static unsigned int signals[N_SIGNALS];

GParamSpec *vt_forward_props[VT_FORWARD_PROP_BYTES_RECEIVED + 1];

G_DEFINE_FINAL_TYPE (VtForward, vt_forward, G_TYPE_OBJECT)

static void
streams_changed_cb (GListModel *model,
                    unsigned int position,
                    unsigned int removed,
                    unsigned int added,
                    gpointer user_data)
{
  GObject *object = user_data;

  /* No freeze: it costs more than all of this where nobody listens. */
  g_object_notify_by_pspec (object, vt_forward_props[VT_FORWARD_PROP_N_STREAMS]);
  g_object_notify_by_pspec (object, vt_forward_props[VT_FORWARD_PROP_BYTES_SENT]);
  g_object_notify_by_pspec (object, vt_forward_props[VT_FORWARD_PROP_BYTES_RECEIVED]);
}

/* What came of it. */
static gboolean
get_status (VtForward *self, VtForwardProp property, GValue *value)
{
  switch (property)
    {
    case VT_FORWARD_PROP_STATE:
      g_value_set_enum (value, self->state);
      break;
    case VT_FORWARD_PROP_ERROR:
      g_value_set_boxed (value, self->error);
      break;
    case VT_FORWARD_PROP_BOUND_PORT:
      g_value_set_uint (value, self->bound_port);
      break;
    case VT_FORWARD_PROP_URL:
      g_value_set_string (value, self->url);
      break;
    case VT_FORWARD_PROP_N_STREAMS:
      g_value_set_uint (value, vt_forward_get_n_streams (self));
      break;
    case VT_FORWARD_PROP_BYTES_SENT:
      g_value_set_uint64 (value, vt_forward_get_bytes_sent (self));
      break;
    case VT_FORWARD_PROP_BYTES_RECEIVED:
      g_value_set_uint64 (value, vt_forward_get_bytes_received (self));
      break;
    default:
      return FALSE;
    }
  return TRUE;
}

static void
vt_forward_get_property (GObject *object,
                         unsigned int property_id,
                         GValue *value,
                         GParamSpec *pspec)
{
  VtForward *self = VT_FORWARD (object);

  switch ((VtForwardProp) property_id)
    {
    case VT_FORWARD_PROP_LISTEN_KIND:
      g_value_set_enum (value, self->listen_kind);
      break;
    case VT_FORWARD_PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case VT_FORWARD_PROP_HOST_NAMES:
      g_value_set_boxed (value, self->host_names);
      break;
    case VT_FORWARD_PROP_LISTEN_ADDRESS:
      g_value_set_string (value, self->listen_address);
      break;
    case VT_FORWARD_PROP_LISTEN_PORT:
      g_value_set_uint (value, self->listen_port);
      break;
    case VT_FORWARD_PROP_TARGET:
      g_value_set_boxed (value, self->target);
      break;
    case VT_FORWARD_PROP_HOST_HEADER_MODE:
      g_value_set_enum (value, self->host_header_mode);
      break;
    case VT_FORWARD_PROP_HOST_HEADER:
      g_value_set_string (value, self->host_header);
      break;
    case VT_FORWARD_PROP_PROXY_PROTOCOL:
      g_value_set_uint (value, self->proxy_protocol);
      break;
    case VT_FORWARD_PROP_FORWARDED_HEADERS:
      g_value_set_flags (value, self->forwarded_headers);
      break;
    case VT_FORWARD_PROP_HTTP:
      g_value_set_boolean (value, self->http);
      break;
    case VT_FORWARD_PROP_HEALTH_INTERVAL:
      g_value_set_uint (value, self->health_interval);
      break;
    default:
      if (!get_status (self, (VtForwardProp) property_id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
vt_forward_set_property (GObject *object,
                         unsigned int property_id,
                         const GValue *value,
                         GParamSpec *pspec)
{
  VtForward *self = VT_FORWARD (object);

  switch ((VtForwardProp) property_id)
    {
    case VT_FORWARD_PROP_LISTEN_KIND:
      vt_forward_set_listen_kind (self, g_value_get_enum (value));
      break;
    case VT_FORWARD_PROP_NAME:
      vt_forward_set_name (self, g_value_get_string (value));
      break;
    case VT_FORWARD_PROP_LISTEN_ADDRESS:
      vt_forward_set_listen_address (self, g_value_get_string (value));
      break;
    case VT_FORWARD_PROP_LISTEN_PORT:
      self->listen_port = (guint16) g_value_get_uint (value);
      break;
    case VT_FORWARD_PROP_TARGET:
      self->target = g_value_dup_boxed (value);
      break;
    case VT_FORWARD_PROP_HOST_HEADER_MODE:
      vt_forward_set_host_header_mode (self, g_value_get_enum (value));
      break;
    case VT_FORWARD_PROP_HOST_HEADER:
      vt_forward_set_host_header (self, g_value_get_string (value));
      break;
    case VT_FORWARD_PROP_PROXY_PROTOCOL:
      vt_forward_set_proxy_protocol (self, g_value_get_uint (value));
      break;
    case VT_FORWARD_PROP_FORWARDED_HEADERS:
      vt_forward_set_forwarded_headers (self, g_value_get_flags (value));
      break;
    case VT_FORWARD_PROP_HTTP:
      vt_forward_set_http (self, g_value_get_boolean (value));
      break;
    case VT_FORWARD_PROP_HEALTH_INTERVAL:
      vt_forward_set_health_interval (self, g_value_get_uint (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
vt_forward_finalize (GObject *object)
{
  VtForward *self = VT_FORWARD (object);

  g_free (self->name);
  g_strfreev (self->host_names);
  g_free (self->listen_address);
  g_clear_pointer (&self->target, vt_target_unref);
  g_free (self->host_header);
  g_clear_error (&self->error);
  g_free (self->url);
  g_signal_handlers_disconnect_by_func (self->streams, streams_changed_cb, self);
  g_object_unref (self->streams);

  G_OBJECT_CLASS (vt_forward_parent_class)->finalize (object);
}

static GParamSpec *
spec_uint (const char *name, unsigned int maximum, GParamFlags flags)
{
  return g_param_spec_uint (name, NULL, NULL, 0, maximum, 0,
                            flags | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
}

static GParamSpec *
spec_count (const char *name)
{
  return g_param_spec_uint64 (name, NULL, NULL, 0, G_MAXUINT64, 0,
                              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

/* What is asked for. */
static void
create_settings (void)
{
  const GParamFlags writable = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  const GParamFlags once = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_CONSTRUCT_ONLY;

  vt_forward_props[VT_FORWARD_PROP_LISTEN_KIND] =
      g_param_spec_enum ("listen-kind", NULL, NULL, VT_TYPE_LISTEN_KIND, VT_LISTEN_KIND_PORT,
                         writable);
  vt_forward_props[VT_FORWARD_PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, writable);
  vt_forward_props[VT_FORWARD_PROP_HOST_NAMES] =
      g_param_spec_boxed ("host-names", NULL, NULL, G_TYPE_STRV,
                          G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  vt_forward_props[VT_FORWARD_PROP_LISTEN_ADDRESS] =
      g_param_spec_string ("listen-address", NULL, NULL, NULL, writable);
  vt_forward_props[VT_FORWARD_PROP_LISTEN_PORT] = spec_uint ("listen-port", G_MAXUINT16, once);
  vt_forward_props[VT_FORWARD_PROP_TARGET] =
      g_param_spec_boxed ("target", NULL, NULL, VT_TYPE_TARGET, once);
  vt_forward_props[VT_FORWARD_PROP_HOST_HEADER_MODE] =
      g_param_spec_enum ("host-header-mode", NULL, NULL, VT_TYPE_HOST_HEADER_MODE,
                         VT_HOST_HEADER_AUTO, writable);
  vt_forward_props[VT_FORWARD_PROP_HOST_HEADER] =
      g_param_spec_string ("host-header", NULL, NULL, NULL, writable);
  vt_forward_props[VT_FORWARD_PROP_PROXY_PROTOCOL] = spec_uint ("proxy-protocol", 2, writable);
  vt_forward_props[VT_FORWARD_PROP_FORWARDED_HEADERS] =
      g_param_spec_flags ("forwarded-headers", NULL, NULL, VT_TYPE_FORWARDED_HEADERS,
                          VT_FORWARDED_HEADERS_NONE, writable);
  vt_forward_props[VT_FORWARD_PROP_HTTP] =
      g_param_spec_boolean ("http", NULL, NULL, FALSE, writable);
  vt_forward_props[VT_FORWARD_PROP_HEALTH_INTERVAL] =
      spec_uint ("health-interval", VT_FORWARD_MAX_HEALTH_INTERVAL, writable);
}

/* What came of it. */
static void
create_status (void)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  vt_forward_props[VT_FORWARD_PROP_STATE] =
      g_param_spec_enum ("state", NULL, NULL, VT_TYPE_FORWARD_STATE, VT_FORWARD_STATE_IDLE,
                         readable);
  vt_forward_props[VT_FORWARD_PROP_ERROR] =
      g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, readable);
  vt_forward_props[VT_FORWARD_PROP_BOUND_PORT] = spec_uint ("bound-port", G_MAXUINT16, readable);
  vt_forward_props[VT_FORWARD_PROP_URL] = g_param_spec_string ("url", NULL, NULL, NULL, readable);
  vt_forward_props[VT_FORWARD_PROP_N_STREAMS] = spec_uint ("n-streams", G_MAXUINT, readable);
  vt_forward_props[VT_FORWARD_PROP_BYTES_SENT] = spec_count ("bytes-sent");
  vt_forward_props[VT_FORWARD_PROP_BYTES_RECEIVED] = spec_count ("bytes-received");
}

static void
vt_forward_class_init (VtForwardClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = vt_forward_get_property;
  object_class->set_property = vt_forward_set_property;
  object_class->finalize = vt_forward_finalize;

  create_settings ();
  create_status ();
  g_object_class_install_properties (object_class, G_N_ELEMENTS (vt_forward_props),
                                     vt_forward_props);

  /**
   * VtForward::incoming:
   * @self: the forward
   * @stream: a stream that a user has opened
   *
   * Offers a stream to the application, on the client's side, if the forward has no target.
   *
   * A handler that takes @stream keeps a reference to it, reads and writes it like any
   * [class@Gio.IOStream], and returns %TRUE. Then no further handler is asked. If nobody takes it,
   * it is reset, and so is the user's connection.
   *
   * Returns: %TRUE to take the stream
   *
   * Since: 1.0
   */
  signals[SIGNAL_INCOMING] = g_signal_new ("incoming", VT_TYPE_FORWARD, G_SIGNAL_RUN_LAST, 0,
                                           g_signal_accumulator_true_handled, NULL, NULL,
                                           G_TYPE_BOOLEAN, 1, VT_TYPE_STREAM);
}

static void
vt_forward_init (VtForward *self)
{
  /* Not VT_TYPE_STREAM: the list only counts and sums, and an item is checked where it comes in. */
  self->streams = vt_list_new (G_TYPE_IO_STREAM);
  g_signal_connect (self->streams, "items-changed", G_CALLBACK (streams_changed_cb), self);
}

/**
 * vt_forward_new:
 * @listen_port: the port that the server shall open; 0 lets it choose
 * @target: (nullable) (transfer none): where the connections go; %NULL if the application takes
 *   them
 *
 * Creates a forward. Nothing happens until it is given to [method@Vt.Client.listen_async].
 *
 * Returns: (transfer full): the forward
 *
 * Since: 1.0
 */
VtForward *
vt_forward_new (guint16 listen_port, VtTarget *target)
{
  return g_object_new (VT_TYPE_FORWARD, "listen-port", (unsigned int) listen_port, "target", target,
                       NULL);
}

VtForward *
vt_forward_new_remote (const char *address, guint16 port)
{
  return g_object_new (VT_TYPE_FORWARD, "listen-address", address, "listen-port",
                       (unsigned int) port, NULL);
}

VtForward *
vt_forward_new_remote_without_port (const char *name)
{
  return g_object_new (VT_TYPE_FORWARD, "listen-kind", VT_LISTEN_KIND_NONE, "name", name, NULL);
}

VtForward *
vt_forward_new_remote_for_names (const char *const *names, GError **error)
{
  g_autoptr(VtForward) forward =
      g_object_new (VT_TYPE_FORWARD, "listen-kind", VT_LISTEN_KIND_HTTP, NULL);

  if (!vt_forward_set_host_names (forward, names, error))
    return NULL;
  return g_steal_pointer (&forward);
}

gboolean
vt_forward_offer (VtForward *self, VtStream *stream)
{
  gboolean taken = FALSE;

  g_signal_emit (self, signals[SIGNAL_INCOMING], 0, stream, &taken);
  return taken;
}
