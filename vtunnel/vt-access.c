/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-access-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-access-certificate-private.h"
#include "vt-access-file-private.h"
#include "vt-access-reader-private.h"
#include "vt-clock-private.h"
#include "vt-text-private.h"

/**
 * VtAccess:
 *
 * Who may be a client of a [class@Vt.Server], and what each of them may do.
 *
 * It comes from a key file with a group for each client:
 *
 * ```
 * [client alice]
 * token=sha256:zSf09FwX4Q0Yb7fWnTXCZQ:SoXbqhYIHQCuRXq4wkl7Hwz1PC8nQ0CjFsjnVIF2gq8
 * ports=9000-9099,443
 * addresses=*
 * max-sessions=2
 * expires=2030-12-31
 * ```
 *
 * - `token`: the hashes of 1 to 4 tokens, with `;` between them, as
 *   [func@Vt.Access.create_token] makes them.
 * - `certificate`: `true` if the client may show a certificate for its name instead, that one of
 *   [property@Vt.Server:client-authorities] has signed. There has to be this or a token.
 * - `ports`: what the client may ask for, written as in
 *   [method@Vt.Server.set_allowed_ports]. A client with ports of its own has to ask for one of
 *   them, port 0 is not granted. Without this key, it may have those of
 *   [property@Vt.Server:allowed-ports] from 1024 on, and port 0.
 * - `addresses`: where its ports may be opened: IP addresses, `localhost` or `*`, with `;` between
 *   them. The first is where they are if the client does not say. Without this key, loopback only.
 * - `host-names`: names such as `a.example.org` and `*.example.org`, with `;` between them. They
 *   mean nothing yet.
 * - `max-sessions`, `max-forwards`, `max-streams`: limits, besides those of the server.
 * - `expires`: when it is over, as `2030-12-31` (in UTC, when the day begins) or
 *   `2030-12-31T18:00:00+01:00`.
 *
 * What is not understood is an error, and never ignored: what is misspelt must not grant more.
 *
 * A file is read again when it changes. If it cannot be understood then, what was read last stays
 * in force, and [signal@Vt.Access::reload-failed] tells why. A client whose group or token is gone,
 * or has expired, is sent away; nobody else notices.
 *
 * ```c
 * g_autoptr(VtAccess) access = vt_access_new_for_file ("/etc/vtunnel/access", &error);
 *
 * if (access == NULL)
 *   g_error ("%s", error->message);
 * vt_server_set_access (server, access);
 * ```
 *
 * It works in the thread-default main context of the moment in which it was made, and is used from
 * that thread only.
 *
 * Since: 1.0
 */
struct _VtAccess {
  GObject parent_instance;

  char *path;            /* owned; NULL for one that is not from a file */
  GHashTable *entries;   /* owned, of VtAccessEntry by name */
  GFileMonitor *monitor; /* owned, nullable */
  VtClock *clock;        /* owned */
  VtTimer *settled;      /* owned: the file was left alone for a while */
};

/* Whoever writes a file may do so in several steps. */
#define SETTLE (200 * G_TIME_SPAN_MILLISECOND)

typedef enum {
  PROP_PATH = 1,
} VtAccessProperty;

typedef enum {
  SIGNAL_CHANGED,
  SIGNAL_RELOAD_FAILED,
} VtAccessSignal;

static GParamSpec *props[PROP_PATH + 1];
static unsigned int signals[SIGNAL_RELOAD_FAILED + 1];

G_DEFINE_FINAL_TYPE (VtAccess, vt_access, G_TYPE_OBJECT)

static void
grant_clear (void *data)
{
  VtAccessGrant *grant = data;

  vt_access_entry_unref (grant->entry);
}

VtAccessGrant *
vt_access_grant_ref (VtAccessGrant *self)
{
  return g_rc_box_acquire (self);
}

void
vt_access_grant_unref (VtAccessGrant *self)
{
  g_rc_box_release_full (self, grant_clear);
}

/* Without a hash it is by a certificate. */
static VtAccessGrant *
grant_new (VtAccessEntry *entry, const VtAccessHash *hash)
{
  VtAccessGrant *self = g_rc_box_new0 (VtAccessGrant);

  self->entry = vt_access_entry_ref (entry);
  self->by_certificate = hash == NULL;
  if (hash != NULL)
    self->hash = *hash;
  return self;
}

/* Who writes a file anew may begin with an empty one, and everybody would be sent away. */
static GHashTable *
parse (VtAccess *self, const char *data, size_t length, GError **error)
{
  if (length > 0 || g_hash_table_size (self->entries) == 0)
    return vt_access_file_parse (data, length, error);
  g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                       _ ("it is empty; to let nobody in, leave a comment in it"));
  return NULL;
}

static gboolean
read_file (VtAccess *self, GError **error)
{
  g_autofree char *data = NULL;
  g_autoptr(GError) reason = NULL;
  g_autofree char *name = NULL;
  g_autofree char *escaped = NULL;
  GHashTable *entries;
  size_t length;

  if (!vt_access_reader_read (self->path, VT_ACCESS_FILE_MAX, &data, &length, error))
    return FALSE;
  entries = parse (self, data, length, &reason);
  if (entries != NULL)
    {
      g_hash_table_unref (self->entries);
      self->entries = entries;
      return TRUE;
    }
  name = g_filename_display_name (self->path);
  escaped = vt_text_escape (name, -1);
  g_set_error (error, reason->domain, reason->code, _ ("The access file “%s”: %s"), escaped,
               reason->message);
  return FALSE;
}

static void
settled_cb (void *user_data)
{
  g_autoptr(VtAccess) self = g_object_ref (user_data);
  g_autoptr(GError) error = NULL;

  if (read_file (self, &error))
    g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
  else
    g_signal_emit (self, signals[SIGNAL_RELOAD_FAILED], 0, error);
}

static void
file_changed_cb (GFileMonitor *monitor,
                 GFile *file,
                 GFile *other,
                 GFileMonitorEvent event,
                 VtAccess *self)
{
  vt_timer_start (self->settled, SETTLE);
}

/* A file that cannot be watched can still be read again when somebody says so. */
static void
watch (VtAccess *self)
{
  g_autoptr(GFile) file = g_file_new_for_path (self->path);
  g_autoptr(GError) error = NULL;

  self->monitor = g_file_monitor_file (file, G_FILE_MONITOR_WATCH_MOVES, NULL, &error);
  if (self->monitor == NULL)
    {
      g_message ("The access file cannot be watched: %s", error->message);
      return;
    }
  g_file_monitor_set_rate_limit (self->monitor, SETTLE / G_TIME_SPAN_MILLISECOND);
  g_signal_connect_object (self->monitor, "changed", G_CALLBACK (file_changed_cb), self, 0);
}

static void
vt_access_get_property (GObject *object, unsigned int property_id, GValue *value, GParamSpec *pspec)
{
  VtAccess *self = VT_ACCESS (object);

  switch ((VtAccessProperty) property_id)
    {
    case PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
vt_access_dispose (GObject *object)
{
  VtAccess *self = VT_ACCESS (object);

  if (self->monitor != NULL)
    g_file_monitor_cancel (self->monitor);
  g_clear_object (&self->monitor);
  g_clear_pointer (&self->settled, vt_timer_free);
  G_OBJECT_CLASS (vt_access_parent_class)->dispose (object);
}

static void
vt_access_finalize (GObject *object)
{
  VtAccess *self = VT_ACCESS (object);

  g_free (self->path);
  g_hash_table_unref (self->entries);
  vt_clock_unref (self->clock);
  G_OBJECT_CLASS (vt_access_parent_class)->finalize (object);
}

static void
define_signals (GType type)
{
  /**
   * VtAccess::changed:
   * @self: the access
   *
   * Clients may have come or gone, or may do other things than before.
   *
   * Since: 1.0
   */
  signals[SIGNAL_CHANGED] =
      g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);

  /**
   * VtAccess::reload-failed:
   * @self: the access
   * @error: why
   *
   * The file has changed, and cannot be read or understood any more. What was read before stays in
   * force until it can.
   *
   * Since: 1.0
   */
  signals[SIGNAL_RELOAD_FAILED] = g_signal_new ("reload-failed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                                NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
vt_access_class_init (VtAccessClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = vt_access_get_property;
  object_class->dispose = vt_access_dispose;
  object_class->finalize = vt_access_finalize;

  /**
   * VtAccess:path: (getter get_path)
   *
   * The file that it comes from, in the encoding of file names, or %NULL if it comes from none.
   *
   * Since: 1.0
   */
  props[PROP_PATH] =
      g_param_spec_string ("path", NULL, NULL, NULL,
                           G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
  define_signals (G_TYPE_FROM_CLASS (klass));
}

static void
vt_access_init (VtAccess *self)
{
  self->clock = vt_clock_get (NULL);
  self->settled = vt_timer_new (self->clock, "access file", settled_cb, self);
  self->entries =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) vt_access_entry_unref);
}

/**
 * vt_access_new_for_file:
 * @path: (type filename): the path of a file
 * @error: return location for an error
 *
 * Reads an access file, and watches it from then on. See [class@Vt.Access] for what is in it.
 *
 * Nobody else than its owner may be able to read or change it, and its owner is this process's user
 * or root. What is root's may be readable by its group, too.
 *
 * Returns: (transfer full): the access, or %NULL with %VT_ERROR_PERMISSION_DENIED if others could
 *   read or change it, %VT_ERROR_INVALID_ARGUMENT if it cannot be understood, or
 *   %VT_ERROR_FAILED if it cannot be read
 *
 * Since: 1.0
 */
VtAccess *
vt_access_new_for_file (const char *path, GError **error)
{
  g_autoptr(VtAccess) self = NULL;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = g_object_new (VT_TYPE_ACCESS, NULL);
  self->path = g_strdup (path);
  /* What changes in between is noticed. */
  watch (self);
  return read_file (self, error) ? g_steal_pointer (&self) : NULL;
}

/**
 * vt_access_new_from_data:
 * @text: the text of an access file
 * @length: its length in bytes, or -1 if it ends with a NUL
 * @error: return location for an error
 *
 * Makes an access of a text that the application has from elsewhere. An empty one lets nobody in.
 *
 * Returns: (transfer full): the access, or %NULL with %VT_ERROR_INVALID_ARGUMENT if the text cannot
 *   be understood
 *
 * Since: 1.0
 */
VtAccess *
vt_access_new_from_data (const char *text, gssize length, GError **error)
{
  g_autoptr(VtAccess) self = NULL;

  g_return_val_if_fail (text != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = g_object_new (VT_TYPE_ACCESS, NULL);
  return vt_access_replace (self, text, length, error) ? g_steal_pointer (&self) : NULL;
}

/**
 * vt_access_get_path: (get-property path)
 * @self: an access
 *
 * Gets the file that it comes from.
 *
 * Returns: (nullable) (type filename): the path, or %NULL if it comes from no file
 *
 * Since: 1.0
 */
const char *
vt_access_get_path (VtAccess *self)
{
  g_return_val_if_fail (VT_IS_ACCESS (self), NULL);

  return self->path;
}

static int
compare_names (const void *one, const void *other)
{
  return strcmp (*(const char *const *) one, *(const char *const *) other);
}

/**
 * vt_access_list_names:
 * @self: an access
 *
 * Lists the clients, whether or not their time is over.
 *
 * Returns: (transfer full) (array zero-terminated=1): their names, in alphabetical order
 *
 * Since: 1.0
 */
char **
vt_access_list_names (VtAccess *self)
{
  GHashTableIter iter;
  void *name;
  char **names;
  size_t n_names = 0;

  g_return_val_if_fail (VT_IS_ACCESS (self), NULL);

  names = g_new0 (char *, g_hash_table_size (self->entries) + 1);
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    names[n_names++] = g_strdup (name);
  qsort (names, n_names, sizeof *names, compare_names);
  return names;
}

/**
 * vt_access_reload:
 * @self: an access that comes from a file
 * @error: return location for an error
 *
 * Reads the file again, at once, as also happens by itself soon after it has changed.
 *
 * [signal@Vt.Access::changed] is emitted before this returns %TRUE.
 *
 * Returns: %TRUE, or %FALSE with an error as of [ctor@Vt.Access.new_for_file], which leaves in
 *   force what was read before
 *
 * Since: 1.0
 */
gboolean
vt_access_reload (VtAccess *self, GError **error)
{
  g_autoptr(VtAccess) alive = NULL;

  g_return_val_if_fail (VT_IS_ACCESS (self), FALSE);
  g_return_val_if_fail (self->path != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  alive = g_object_ref (self);
  vt_timer_stop (self->settled);
  if (!read_file (self, error))
    return FALSE;
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
  return TRUE;
}

/**
 * vt_access_replace:
 * @self: an access that comes from no file
 * @text: the text of an access file
 * @length: its length in bytes, or -1 if it ends with a NUL
 * @error: return location for an error
 *
 * Replaces all of it by another text.
 *
 * [signal@Vt.Access::changed] is emitted before this returns %TRUE.
 *
 * Returns: %TRUE, or %FALSE with %VT_ERROR_INVALID_ARGUMENT if the text cannot be understood, which
 *   changes nothing
 *
 * Since: 1.0
 */
gboolean
vt_access_replace (VtAccess *self, const char *text, gssize length, GError **error)
{
  g_autoptr(VtAccess) alive = NULL;
  GHashTable *entries;

  g_return_val_if_fail (VT_IS_ACCESS (self), FALSE);
  g_return_val_if_fail (self->path == NULL, FALSE);
  g_return_val_if_fail (text != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  entries = vt_access_file_parse (text, length < 0 ? strlen (text) : (size_t) length, error);
  if (entries == NULL)
    return FALSE;
  alive = g_object_ref (self);
  g_hash_table_unref (self->entries);
  self->entries = entries;
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
  return TRUE;
}

/**
 * vt_access_create_token:
 * @name: a client's name: 1 to 32 characters of a-z, 0-9 and `-`
 * @hash: (out) (transfer full): return location for what stands for the token in an access file
 * @error: return location for an error
 *
 * Makes a new token, for [method@Vt.Client.set_token], and the value of `token` in the client's
 * group. The token is known to nobody else, and cannot be made out from the hash.
 *
 * Returns: (transfer full): the token, or %NULL with %VT_ERROR_INVALID_ARGUMENT for another @name
 *
 * Since: 1.0
 */
char *
vt_access_create_token (const char *name, char **hash, GError **error)
{
  VtAccessHash made;
  char *token;

  g_return_val_if_fail (name != NULL, NULL);
  g_return_val_if_fail (hash != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!vt_access_name_is_valid (name))
    {
      g_autofree char *escaped = vt_text_escape (name, -1);

      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                   _ ("“%s” is no name for a client: 1 to 32 of a-z, 0-9 and “-” are needed"),
                   escaped);
      return NULL;
    }
  token = vt_access_token_new (name);
  vt_access_hash_init (&made, token);
  *hash = vt_access_hash_format (&made);
  return token;
}

static gboolean
is_in_time (VtAccessEntry *entry)
{
  return entry != NULL && g_get_real_time () < entry->expires;
}

VtAccessGrant *
vt_access_check (VtAccess *self, const char *name, const char *token)
{
  g_autofree char *told = vt_access_token_get_name (token);
  VtAccessEntry *entry = told != NULL ? g_hash_table_lookup (self->entries, told) : NULL;
  const VtAccessHash *hash = vt_access_entry_find_hash (entry, token);

  if (hash == NULL || !is_in_time (entry) || (name != NULL && !g_str_equal (name, told)))
    return NULL;
  return grant_new (entry, hash);
}

VtAccessGrant *
vt_access_check_certificate (VtAccess *self, GTlsCertificate *certificate)
{
  g_autofree char *name = vt_access_certificate_get_name (certificate);
  VtAccessEntry *entry = name != NULL ? g_hash_table_lookup (self->entries, name) : NULL;

  return is_in_time (entry) && entry->certificate ? grant_new (entry, NULL) : NULL;
}

VtAccessGrant *
vt_access_renew (VtAccess *self, VtAccessGrant *grant)
{
  VtAccessEntry *entry = g_hash_table_lookup (self->entries, grant->entry->name);

  if (grant->by_certificate)
    return is_in_time (entry) && entry->certificate ? grant_new (entry, NULL) : NULL;
  if (!is_in_time (entry) || !vt_access_entry_has_hash (entry, &grant->hash))
    return NULL;
  return grant_new (entry, &grant->hash);
}
