/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-session-tunnel.h"

#include <string.h>

static void
forward_free (void *data)
{
  VtToolForward *self = data;

  g_free (self->listen);
  g_free (self->target);
  g_free (self->host_header);
  g_free (self->forwarded);
  g_free (self->state);
  g_free (self->error);
  g_free (self->url);
  g_free (self);
}

static VtToolForward *
forward_new (const char *listen, const char *target)
{
  VtToolForward *self = g_new0 (VtToolForward, 1);

  self->listen = g_strdup (listen);
  self->target = g_strdup (target);
  self->state = g_strdup ("");
  self->error = g_strdup ("");
  self->url = g_strdup ("");
  return self;
}

static void
stream_free (void *data)
{
  VtToolStream *self = data;

  g_free (self->listen);
  g_free (self->user_address);
  g_free (self);
}

VtToolTunnel *
vt_tool_tunnel_new (const char *path)
{
  VtToolTunnel *self = g_new0 (VtToolTunnel, 1);
  char **texts[] = { &self->id,    &self->name,  &self->uri,        &self->lifetime,
                     &self->owner, &self->state, &self->error_name, &self->error_message };

  self->path = g_strdup (path);
  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    *texts[i] = g_strdup ("");
  self->forwards = g_ptr_array_new_with_free_func (forward_free);
  self->streams = g_ptr_array_new_with_free_func (stream_free);
  self->round_trip = -1;
  return self;
}

void
vt_tool_tunnel_free (VtToolTunnel *self)
{
  char *texts[] = { self->path,  self->id,    self->name,       self->uri,          self->lifetime,
                    self->owner, self->state, self->error_name, self->error_message };

  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  g_ptr_array_unref (self->forwards);
  g_ptr_array_unref (self->streams);
  g_free (self);
}

static void
read_text (GVariant *from, const char *name, char **text)
{
  char *read = NULL;

  if (!g_variant_lookup (from, name, "s", &read))
    return;
  g_free (*text);
  *text = read;
}

/* The first of these that is not taken yet; NULL if there is none. It is the same forward for as
 * long as both sides of it are. */
static VtToolForward *
take_forward (GPtrArray *forwards, const char *listen, const char *target)
{
  for (unsigned int i = 0; i < forwards->len; i++)
    {
      VtToolForward *forward = forwards->pdata[i];

      if (strcmp (forward->listen, listen) == 0 && strcmp (forward->target, target) == 0)
        return g_ptr_array_steal_index (forwards, i);
    }
  return NULL;
}

static VtToolForward *
take_or_make_forward (GPtrArray *forwards, const char *listen, const char *target)
{
  VtToolForward *known = take_forward (forwards, listen, target);

  return known != NULL ? known : forward_new (listen, target);
}

static void
read_options (VtToolForward *self, GVariant *options)
{
  g_clear_pointer (&self->host_header, g_free);
  g_clear_pointer (&self->forwarded, g_free);
  self->proxy_protocol = 0;
  self->http = FALSE;
  self->health = 0;
  g_variant_lookup (options, "host-header", "s", &self->host_header);
  g_variant_lookup (options, "proxy-protocol", "u", &self->proxy_protocol);
  g_variant_lookup (options, "forwarded", "s", &self->forwarded);
  g_variant_lookup (options, "http", "b", &self->http);
  g_variant_lookup (options, "health", "u", &self->health);
}

static void
read_forwards (VtToolTunnel *self, GVariant *from)
{
  g_autoptr(GPtrArray) before = g_steal_pointer (&self->forwards);
  GVariantIter iter;
  const char *listen = NULL;
  const char *target = NULL;
  GVariant *options = NULL;

  self->forwards = g_ptr_array_new_with_free_func (forward_free);
  g_variant_iter_init (&iter, from);
  while (g_variant_iter_loop (&iter, "(&s&s@a{sv})", &listen, &target, &options))
    {
      VtToolForward *forward = take_or_make_forward (before, listen, target);

      read_options (forward, options);
      g_ptr_array_add (self->forwards, forward);
    }
}

static void
read_error (VtToolTunnel *self, GVariant *from)
{
  g_free (self->error_name);
  g_free (self->error_message);
  g_variant_get (from, "(ss)", &self->error_name, &self->error_message);
}

void
vt_tool_tunnel_set_properties (VtToolTunnel *self, GVariant *properties)
{
  g_autoptr(GVariant) error = NULL;
  g_autoptr(GVariant) forwards = NULL;

  read_text (properties, "Id", &self->id);
  read_text (properties, "Name", &self->name);
  read_text (properties, "Uri", &self->uri);
  read_text (properties, "Lifetime", &self->lifetime);
  read_text (properties, "Owner", &self->owner);
  read_text (properties, "State", &self->state);
  g_variant_lookup (properties, "Autoconnect", "b", &self->autoconnect);
  g_variant_lookup (properties, "ConnectedSince", "x", &self->connected_since);
  g_variant_lookup (properties, "NextRetry", "x", &self->next_retry);
  g_variant_lookup (properties, "ActiveStreams", "u", &self->active_streams);
  if (g_variant_lookup (properties, "LastError", "@(ss)", &error))
    read_error (self, error);
  if (g_variant_lookup (properties, "Forwards", "@a(ssa{sv})", &forwards))
    read_forwards (self, forwards);
}

void
vt_tool_tunnel_read_proxy (VtToolTunnel *self, GDBusProxy *proxy)
{
  g_auto(GStrv) names = g_dbus_proxy_get_cached_property_names (proxy);
  g_autoptr(GVariant) properties = NULL;
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  for (size_t i = 0; names != NULL && names[i] != NULL; i++)
    {
      g_autoptr(GVariant) value = g_dbus_proxy_get_cached_property (proxy, names[i]);

      g_variant_dict_insert_value (&dict, names[i], value);
    }
  properties = g_variant_ref_sink (g_variant_dict_end (&dict));
  vt_tool_tunnel_set_properties (self, properties);
}

/* A counter that has gone backwards began anew. */
static guint64
measure_rate (guint64 before, guint64 after, gint64 duration)
{
  if (after <= before || duration <= 0)
    return 0;
  return (guint64) ((double) (after - before) * G_USEC_PER_SEC / (double) duration);
}

static void
add_rate (VtToolForward *self, guint64 rate)
{
  if (self->n_rates == VT_TOOL_MAX_RATES)
    memmove (self->rates, self->rates + 1, sizeof self->rates - sizeof self->rates[0]);
  else
    self->n_rates++;
  self->rates[self->n_rates - 1] = rate;
}

/* `duration` is 0 if there is nothing to compare with. */
static void
read_forward (VtToolForward *self, GVariant *from, gint64 duration)
{
  guint64 sent = self->bytes_sent;
  guint64 received = self->bytes_received;

  read_text (from, "state", &self->state);
  read_text (from, "error", &self->error);
  read_text (from, "url", &self->url);
  g_variant_lookup (from, "bound-port", "q", &self->bound_port);
  g_variant_lookup (from, "n-streams", "u", &self->n_streams);
  g_variant_lookup (from, "bytes-sent", "t", &self->bytes_sent);
  g_variant_lookup (from, "bytes-received", "t", &self->bytes_received);
  if (duration <= 0)
    return;
  self->rate_sent = measure_rate (sent, self->bytes_sent, duration);
  self->rate_received = measure_rate (received, self->bytes_received, duration);
  add_rate (self, self->rate_sent + self->rate_received);
}

/* Those that are being forwarded, in the order in which the service tells of them. */
static void
read_forward_statistics (VtToolTunnel *self, GVariant *from, gint64 duration)
{
  g_autoptr(GPtrArray) before = g_steal_pointer (&self->forwards);
  GVariantIter iter;
  GVariant *dict = NULL;

  self->forwards = g_ptr_array_new_with_free_func (forward_free);
  g_variant_iter_init (&iter, from);
  while (g_variant_iter_loop (&iter, "@a{sv}", &dict))
    {
      const char *listen = "";
      const char *target = "";
      VtToolForward *forward = NULL;

      g_variant_lookup (dict, "listen", "&s", &listen);
      g_variant_lookup (dict, "target", "&s", &target);
      forward = take_or_make_forward (before, listen, target);
      read_forward (forward, dict, duration);
      g_ptr_array_add (self->forwards, forward);
    }
  /* None that the user wants is hidden because the service does not count it yet. */
  g_ptr_array_extend_and_steal (self->forwards, g_steal_pointer (&before));
}

static void
read_streams (VtToolTunnel *self, GVariant *from)
{
  GVariantIter iter;
  GVariant *dict = NULL;

  g_ptr_array_set_size (self->streams, 0);
  g_variant_iter_init (&iter, from);
  while (g_variant_iter_loop (&iter, "@a{sv}", &dict))
    {
      VtToolStream *stream = g_new0 (VtToolStream, 1);

      stream->listen = g_strdup ("");
      stream->user_address = g_strdup ("");
      read_text (dict, "listen", &stream->listen);
      read_text (dict, "user-address", &stream->user_address);
      g_variant_lookup (dict, "id", "u", &stream->id);
      g_variant_lookup (dict, "opened-at", "x", &stream->opened_at);
      g_variant_lookup (dict, "bytes-sent", "t", &stream->bytes_sent);
      g_variant_lookup (dict, "bytes-received", "t", &stream->bytes_received);
      g_ptr_array_add (self->streams, stream);
    }
}

void
vt_tool_tunnel_set_statistics (VtToolTunnel *self, GVariant *statistics, gint64 now)
{
  gint64 duration = self->statistics_at != 0 ? now - self->statistics_at : 0;
  g_autoptr(GVariant) forwards = NULL;
  g_autoptr(GVariant) streams = NULL;

  g_variant_lookup (statistics, "bytes-sent", "t", &self->bytes_sent);
  g_variant_lookup (statistics, "bytes-received", "t", &self->bytes_received);
  g_variant_lookup (statistics, "streams-opened", "t", &self->streams_opened);
  g_variant_lookup (statistics, "n-resumed", "u", &self->n_resumed);
  g_variant_lookup (statistics, "rtt", "x", &self->round_trip);
  g_variant_lookup (statistics, "last-seen", "x", &self->last_seen);
  g_variant_lookup (statistics, "protocol", "u", &self->protocol);
  if (g_variant_lookup (statistics, "forwards", "@aa{sv}", &forwards))
    read_forward_statistics (self, forwards, duration);
  if (g_variant_lookup (statistics, "streams", "@aa{sv}", &streams))
    read_streams (self, streams);
  self->has_statistics = TRUE;
  self->statistics_at = now;
}

void
vt_tool_tunnel_clear_statistics (VtToolTunnel *self)
{
  g_ptr_array_set_size (self->streams, 0);
  self->statistics_at = 0;
  self->round_trip = -1;
  for (unsigned int i = 0; i < self->forwards->len; i++)
    {
      VtToolForward *forward = self->forwards->pdata[i];

      g_free (forward->state);
      g_free (forward->error);
      g_free (forward->url);
      forward->state = g_strdup ("");
      forward->error = g_strdup ("");
      forward->url = g_strdup ("");
      forward->bound_port = 0;
      forward->n_streams = 0;
      forward->rate_sent = 0;
      forward->rate_received = 0;
    }
}

const char *
vt_tool_tunnel_get_title (const VtToolTunnel *self)
{
  return self->name[0] != '\0' ? self->name : self->id;
}

gboolean
vt_tool_tunnel_is_called (const VtToolTunnel *self, const char *name)
{
  return strcmp (self->id, name) == 0 || strcmp (self->name, name) == 0;
}

int
vt_tool_tunnel_compare (const void *a, const void *b)
{
  const VtToolTunnel *one = *(VtToolTunnel *const *) a;
  const VtToolTunnel *other = *(VtToolTunnel *const *) b;
  int order = g_utf8_collate (vt_tool_tunnel_get_title (one), vt_tool_tunnel_get_title (other));

  return order != 0 ? order : strcmp (one->id, other->id);
}

char *
vt_tool_forward_get_source (const VtToolForward *self)
{
  const char *colon = strrchr (self->listen, ':');
  size_t before = colon != NULL ? (size_t) (colon + 1 - self->listen) : 0;

  if (self->url[0] != '\0')
    return g_strdup (self->url);
  if (self->bound_port == 0)
    return g_strdup (self->listen);
  return g_strdup_printf ("%.*s%u", (int) before, self->listen, self->bound_port);
}
