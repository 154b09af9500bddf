/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-forward.h"

/* How many, and how long. */
#define VTS_MAX_FORWARDS 64
#define VTS_MAX_NAME 128  /* bytes */
#define VTS_MAX_URI 2048  /* bytes */
#define VTS_MAX_TOKEN 8192 /* bytes */

/* Where the token is. */
typedef enum {
  VTS_STORAGE_NONE, /* there is none */
  VTS_STORAGE_MEMORY,
  VTS_STORAGE_FILE,
  VTS_STORAGE_KEYRING,
} VtsStorage;

#define VTS_N_STORAGES (VTS_STORAGE_KEYRING + 1)

/* What a tunnel is to be. Nothing gets into it unchecked: the setters refuse with errors of
 * VTUNNEL_SESSION_ERROR, and change nothing then. The fields are for reading. */
typedef struct {
  char      *name;     /* owned, for people, may be empty */
  char      *uri;      /* owned */
  GPtrArray *forwards; /* owned, of owned VtsForward */
  gboolean   autoconnect;
  VtsStorage storage;
} VtsSettings;

VtsSettings *vts_settings_new (const char *uri, GError **error);
VtsSettings *vts_settings_copy (const VtsSettings *self);
void         vts_settings_free (VtsSettings *self);
gboolean     vts_settings_equal (const VtsSettings *a, const VtsSettings *b);

gboolean vts_settings_set_name (VtsSettings *self, const char *name, GError **error);
gboolean vts_settings_set_uri (VtsSettings *self, const char *uri, GError **error);
/* Of VtsForward, which are copied. */
gboolean vts_settings_set_forwards (VtsSettings *self, const GPtrArray *forwards, GError **error);

/* "keyring" and so on; the word of VTS_STORAGE_NONE is empty. */
const char *vts_storage_to_word (VtsStorage storage);
gboolean    vts_storage_from_word (const char *word, VtsStorage *storage);

/* A token travels in a header: visible ASCII. */
gboolean vts_settings_check_token (const char *token, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtsSettings, vts_settings_free)
