#pragma once

#include <memory>

#include "base/result.h"
#include "storage/object_store.h"
#include "storage/source_url.h"
#include "storage/web_client.h"

namespace modelmill {

/// A container of Azure's blobs, or of a server that speaks like it, when a connection string names one. Thread-safe.
Result<std::unique_ptr<ObjectStore>> open_azure_store(const SourceUrl& url, const WebClient::Options& options);

}  // namespace modelmill
