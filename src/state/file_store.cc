#include "state/file_store.h"

#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/private_file.h"
#include "state/durable_file.h"
#include "state/entry_name.h"
#include "state/file_lease.h"
#include "state/store_format.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

/// The value, its first line, and line ends.
constexpr uint64_t kLargestEntry = FileStore::kLargestValue + 4096;

std::string of_key(const std::string& key) { return "key '" + key + "' of the server's state"; }

Status check_value(const std::string& key, const std::string& value) {
  if (value.size() > FileStore::kLargestValue)
    return invalid_argument(of_key(key) + ": the value has " + std::to_string(value.size()) + " bytes, at most " +
                            std::to_string(FileStore::kLargestValue) + " are kept");
  simdjson::dom::parser parser;
  const auto error = parser.parse(value).error();
  if (error == simdjson::SUCCESS) return ok_status();
  return invalid_argument(of_key(key) + ": the value is not a JSON document: " + simdjson::error_message(error));
}

Result<std::vector<std::string>> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  if (!error) return names;
  return unavailable("folder '" + folder + "' of the server's state can't be read: " + error.message());
}

std::string revision_text(uint64_t revision) {
  return revision == 0 ? "does not exist" : "has revision " + std::to_string(revision);
}

}  // namespace

FileStore::FileStore(const std::string& folder, const StoreFormats& formats)
    : folder_(folder), entries_(folder + "/entries"), formats_(formats), lock_(folder + "/lock") {}

FileStore::~FileStore() = default;

Result<std::unique_ptr<FileStore>> FileStore::open(const std::string& folder, const StoreFormats& formats) {
  const fs::path written(folder);
  const std::string plain = fs::absolute(written.has_filename() ? written : written.parent_path()).string();
  std::unique_ptr<FileStore> store(new FileStore(plain, formats));
  MM_RETURN_IF_ERROR(store->prepare());
  return store;
}

Status FileStore::prepare() {
  MM_RETURN_IF_ERROR(make_private_folder(folder_));
  MM_RETURN_IF_ERROR(lock_.open());
  StoreLock::Held held(lock_);
  MM_RETURN_IF_ERROR(held.status());
  MM_RETURN_IF_ERROR(keep_format(folder_, formats_));
  MM_RETURN_IF_ERROR(make_private_folder(entries_));
  MM_RETURN_IF_ERROR(make_private_folder(folder_ + "/leases"));
  return look_through_entries(held);
}

Status FileStore::look_through_entries(StoreLock::Held& held) {
  MM_ASSIGN_OR_RETURN(const std::vector<std::string> names, names_in(entries_));
  uint64_t highest = 0;
  for (const std::string& name : names) {
    // What a writer left that died: under the lock nobody writes.
    if (name.ends_with(".draft")) ::unlink((entries_ + "/" + name).c_str());
    const std::optional<std::string> key = entry_key(name);
    if (!key) continue;
    const auto stored = read(*key, name);
    if (stored.ok() && *stored) highest = std::max(highest, (*stored)->revision);
    if (stored.ok()) continue;
    if (stored.status().code() != Code::kDataLoss) return stored.status();
    MM_ASSIGN_OR_RETURN(std::string now, put_aside(name, stored.status()));
    set_aside_.push_back(std::move(now));
  }
  return held.raise_to(highest);
}

Result<std::optional<StoredValue>> FileStore::read(const std::string& key, const std::string& name) const {
  const std::string file = entries_ + "/" + name;
  const auto text = read_whole_file(file, kLargestEntry);
  if (!text.ok() && text.status().code() == Code::kNotFound) return std::optional<StoredValue>();
  Status status = text.status();
  if (text.ok()) {
    auto entry = read_entry(formats_, *text);
    if (entry.ok() && entry->key == key) return std::optional(std::move(entry->stored));
    status = entry.ok() ? Status(Code::kDataLoss, "it is of key '" + entry->key + "'") : entry.status();
  } else if (status.code() == Code::kResourceExhausted) {
    status = {Code::kDataLoss, status.message()};  // nothing of ours is that large
  }
  return status.with_context("file '" + file + "' of the server's state");
}

Result<std::optional<StoredValue>> FileStore::read_under_lock(const std::string& key, const std::string& name) {
  auto stored = read(key, name);
  if (stored.ok() || stored.status().code() != Code::kDataLoss) return stored;
  MM_ASSIGN_OR_RETURN(const std::string now, put_aside(name, stored.status()));
  return Status(Code::kDataLoss, stored.status().message() + "; it is set aside as '" + now + "', and the key is gone");
}

Result<std::string> FileStore::put_aside(const std::string& name, const Status& why) {
  const std::string file = entries_ + "/" + name;
  std::string aside = file + ".corrupt";
  for (int n = 2; ::access(aside.c_str(), F_OK) == 0; ++n) aside = file + ".corrupt" + std::to_string(n);
  if (::rename(file.c_str(), aside.c_str()) != 0)
    return unavailable(why.message() + "; it can't be set aside: " + std::strerror(errno));
  Log::error("a file of the server's state is not whole and was set aside", {{"file", aside}, {"why", why.message()}});
  return aside;
}

Result<std::optional<StoredValue>> FileStore::get(const std::string& key) {
  MM_ASSIGN_OR_RETURN(const std::string name, entry_name(key));
  auto stored = read(key, name);
  if (stored.ok()) return stored;
  // Looked at again under the lock: a good one may have come, or a later release may have raised the format.
  StoreLock::Held held(lock_);
  MM_RETURN_IF_ERROR(held.status());
  MM_RETURN_IF_ERROR(check_format(folder_, formats_));
  return read_under_lock(key, name);
}

Result<std::map<std::string, StoredValue>> FileStore::list(const std::string& prefix) {
  MM_ASSIGN_OR_RETURN(const std::vector<std::string> names, names_in(entries_));
  std::map<std::string, StoredValue> out;
  for (const std::string& name : names) {
    const std::optional<std::string> key = entry_key(name);
    if (!key || !key->starts_with(prefix)) continue;
    MM_ASSIGN_OR_RETURN(std::optional<StoredValue> stored, get(*key));
    if (stored) out.emplace(*key, *std::move(stored));
  }
  return out;
}

Result<uint64_t> FileStore::compare_and_put(const std::string& key, const std::optional<std::string>& value,
                                            uint64_t expected) {
  MM_ASSIGN_OR_RETURN(const std::string name, entry_name(key));
  if (value) MM_RETURN_IF_ERROR(check_value(key, *value));
  StoreLock::Held held(lock_);
  MM_RETURN_IF_ERROR(held.status());
  MM_RETURN_IF_ERROR(check_format(folder_, formats_));
  MM_ASSIGN_OR_RETURN(const std::optional<StoredValue> before, read_under_lock(key, name));
  const uint64_t revision = before ? before->revision : 0;
  if (revision != expected)
    return Status(Code::kAborted, of_key(key) + " " + revision_text(revision) + ", and was expected to be one that " +
                                      revision_text(expected) + ": read it again");
  const std::string file = entries_ + "/" + name;
  Status status;
  uint64_t next = 0;
  if (value) {
    MM_ASSIGN_OR_RETURN(next, held.next_revision());
    status = replace_file(file, entry_text(formats_.current, key, {*value, next}));
  } else if (before) {
    status = remove_file(file);
  }
  if (!status.ok()) return status.with_context(of_key(key));
  return next;
}

Result<std::unique_ptr<StoreWatch>> FileStore::watch(const std::string& prefix, Changed changed) {
  std::unique_ptr<StoreWatch> watch = watches_.add(prefix, std::move(changed));
  MutexLock lock(events_mutex_);
  if (events_ != nullptr) return watch;
  MM_ASSIGN_OR_RETURN(events_, FolderEvents::start(entries_, [this](const std::optional<std::string>& name) {
                        if (!name) return watches_.tell_all();
                        if (const std::optional<std::string> key = entry_key(*name)) watches_.tell(*key);
                      }));
  return watch;
}

Result<std::unique_ptr<StoreLease>> FileStore::acquire(const std::string& name, Duration /*ttl*/) {
  MM_ASSIGN_OR_RETURN(const std::string file, entry_name(name));
  return acquire_file_lease(folder_ + "/leases/" + file.substr(0, file.rfind('.')), name);
}

}  // namespace modelmill
