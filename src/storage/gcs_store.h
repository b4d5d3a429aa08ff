#pragma once

#include <memory>

#include "base/result.h"
#include "storage/object_store.h"
#include "storage/source_url.h"
#include "storage/web_client.h"

namespace modelmill {

/// A bucket of Google Cloud Storage, or of an emulator that STORAGE_EMULATOR_HOST names. Thread-safe.
Result<std::unique_ptr<ObjectStore>> open_gcs_store(const SourceUrl& url, const WebClient::Options& options);

}  // namespace modelmill
