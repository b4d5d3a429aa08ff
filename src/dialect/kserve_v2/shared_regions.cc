#include "dialect/kserve_v2/shared_regions.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace modelmill::kserve_v2 {
namespace {

constexpr size_t kLongestName = 1024;

Status not_registered(const std::string& name, std::string_view why) {
  return invalid_argument("failed to register shared memory region '" + name + "': " + std::string(why));
}

Status not_opened(const std::string& key, const Status& status) {
  const std::string text = "Unable to open shared memory region: '" + key + "': " + status.message();
  if (status.code() == Code::kResourceExhausted) return resource_exhausted(text);
  return internal(text);
}

bool allows_all(const std::vector<std::string>& allowed) {
  return std::find(allowed.begin(), allowed.end(), "/") != allowed.end();
}

/// Each region is an open file, and connections are too.
size_t most_regions() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return SharedRegions::kMost;
  return std::min<size_t>(SharedRegions::kMost, std::max<size_t>(16, files.rlim_cur / 4));
}

}  // namespace

SharedRegions::SharedRegions(std::vector<std::string> allowed, uint64_t request_bytes, FindCuda cuda)
    : allowed_(std::move(allowed)), request_bytes_(request_bytes), cuda_(std::move(cuda)), most_(most_regions()) {}

Status SharedRegions::check_on() const {
  if (on()) return ok_status();
  return unimplemented(
      "Client shared memory is disabled. Start the server with '--allow-client-shm /' to enable, or send tensors in "
      "the request.");
}

bool SharedRegions::cuda_on() const { return allows_all(allowed_) && cuda_().ok(); }

/// Of a region that is to be registered.
Status SharedRegions::check_new(const std::string& name) const {
  if (name.size() > kLongestName)
    return not_registered(name.substr(0, 32) + "...",
                          "its name is longer than " + std::to_string(kLongestName) + " bytes");
  const MutexLock lock(mutex_);
  if (regions_.contains(name)) return already_exists("shared memory region '" + name + "' already in manager");
  return ok_status();
}

Status SharedRegions::insert(std::shared_ptr<const SharedRegion> region) {
  const std::string name = region->name;
  const MutexLock lock(mutex_);
  if (regions_.size() >= most_)
    return resource_exhausted("failed to register shared memory region '" + name + "': " + std::to_string(most_) +
                              " are registered, which is the most; unregister those that are not used any more");
  if (!regions_.emplace(name, std::move(region)).second)
    return already_exists("shared memory region '" + name + "' already in manager");
  return ok_status();
}

Status SharedRegions::add_cuda(const std::string& name, std::string_view handle, int64_t gpu, uint64_t size) {
  MM_RETURN_IF_ERROR(check_on());
  if (name.empty()) return invalid_argument("'region name' is necessary to register cuda shared memory region");
  const auto driver = cuda_();
  if (!driver.ok())
    return invalid_argument("failed to register CUDA shared memory region: '" + name +
                            "', GPUs not supported: " + driver.status().message());
  if (!allows_all(allowed_))
    return {Code::kPermissionDenied,
            "cannot register cuda shared memory region '" + name +
                "': memory of GPUs has no keys, so the server takes it with --allow-client-shm "
                "/ alone; use system shared memory of the keys that it allows"};
  CudaHandle bytes{};
  if (handle.size() != bytes.size())
    return invalid_argument("'raw_handle' must be a cudaIpcMemHandle_t, which has " + std::to_string(bytes.size()) +
                            " bytes, not " + std::to_string(handle.size()));
  std::memcpy(bytes.data(), handle.data(), bytes.size());
  MM_RETURN_IF_ERROR(check_new(name));
  if (size == 0) return not_registered(name, "invalid args: its byte_size is 0");
  auto mapping = (*driver)->open(bytes, gpu, size);
  if (!mapping.ok())
    return mapping.status().with_context("failed to register CUDA shared memory region: '" + name + "'");
  auto region = std::make_shared<SharedRegion>();
  region->name = name;
  region->size = size;
  region->on_gpu = *std::move(mapping);
  region->gpu = gpu;
  return insert(std::move(region));
}

Status SharedRegions::add(const std::string& name, const std::string& key, uint64_t offset, uint64_t size) {
  MM_RETURN_IF_ERROR(check_on());
  if (name.empty()) return invalid_argument("'region name' is necessary to register system shared memory region");
  const auto object_name = SharedMemoryObject::name_of(key);
  if (!object_name.ok())
    return invalid_argument("cannot register shared memory region '" + name + "' - invalid shm key '" + key +
                            "': " + object_name.status().message());
  const std::string path = "/" + *object_name;
  const auto begins_path = [&](const std::string& prefix) { return path.starts_with(prefix); };
  if (std::none_of(allowed_.begin(), allowed_.end(), begins_path))
    return {Code::kPermissionDenied, "cannot register shared memory region '" + name + "' - key '" + key +
                                         "' does not begin as --allow-client-shm of this server asks; use another key"};
  MM_RETURN_IF_ERROR(check_new(name));
  Result<SharedMemoryObject> object = SharedMemoryObject::open(*object_name);
  if (!object.ok()) return not_opened(key, object.status());
  const Result<uint64_t> has = object->size();
  if (!has.ok()) return internal("Invalid shared memory region: '" + key + "'");
  if (size == 0) return not_registered(name, "invalid args: its byte_size is 0");
  if (offset > *has || size > *has - offset)
    return not_registered(name, "invalid args: offset " + std::to_string(offset) + " and byte_size " +
                                    std::to_string(size) + " pass the end of '" + key + "', which has " +
                                    std::to_string(*has) + " bytes");
  auto region = std::make_shared<SharedRegion>();
  region->name = name;
  region->key = key;
  region->offset = offset;
  region->size = size;
  region->object.emplace(std::move(object).value());
  return insert(std::move(region));
}

Status SharedRegions::remove(const std::string& name, bool on_gpu) {
  MM_RETURN_IF_ERROR(check_on());
  std::shared_ptr<const SharedRegion> gone;  // closed without the lock
  const MutexLock lock(mutex_);
  const auto found = regions_.find(name);
  if (found == regions_.end() || found->second->is_on_gpu() != on_gpu) return ok_status();
  gone = std::move(found->second);
  regions_.erase(found);
  return ok_status();
}

Status SharedRegions::remove_all(bool on_gpu) {
  MM_RETURN_IF_ERROR(check_on());
  std::vector<std::shared_ptr<const SharedRegion>> gone;  // closed without the lock
  const MutexLock lock(mutex_);
  for (auto it = regions_.begin(); it != regions_.end();) {
    const auto at = it++;
    if (at->second->is_on_gpu() != on_gpu) continue;
    gone.push_back(std::move(at->second));
    regions_.erase(at);
  }
  return ok_status();
}

Result<std::vector<std::shared_ptr<const SharedRegion>>> SharedRegions::list(const std::string& name,
                                                                             bool on_gpu) const {
  std::vector<std::shared_ptr<const SharedRegion>> regions;
  const MutexLock lock(mutex_);
  if (name.empty()) {
    for (const auto& [unused, region] : regions_)
      if (region->is_on_gpu() == on_gpu) regions.push_back(region);
    return regions;
  }
  const auto found = regions_.find(name);
  if (found == regions_.end() || found->second->is_on_gpu() != on_gpu)
    return not_found(std::string("Unable to find ") + (on_gpu ? "cuda" : "system") + " shared memory region: '" + name +
                     "'");
  regions.push_back(found->second);
  return regions;
}

Result<SharedSlice> SharedRegions::find(const std::string& name, uint64_t offset, uint64_t size) const {
  SharedSlice slice{nullptr, offset, size};
  {
    const MutexLock lock(mutex_);
    const auto found = regions_.find(name);
    if (found != regions_.end()) slice.region = found->second;
  }
  if (!slice.region) {
    std::string text = "Unable to find shared memory region: '" + name + "'";
    if (!on()) text += ": client shared memory is disabled; send the tensor in the request";
    return not_found(std::move(text));
  }
  const uint64_t has = slice.region->size;
  if (offset >= has) return invalid_argument("Invalid offset for shared memory region: '" + name + "'");
  if (size > has - offset)
    return invalid_argument("Invalid offset + byte size for shared memory region: '" + name +
                            "': " + std::to_string(size) + " bytes at " + std::to_string(offset) + " of its " +
                            std::to_string(has));
  return slice;
}

Status SharedRegions::check_request(uint64_t before, uint64_t more) const {
  if (before <= request_bytes_ && more <= request_bytes_ - before) return ok_status();
  return resource_exhausted("the request's inputs in shared memory pass " + std::to_string(request_bytes_) +
                            " bytes, the limit of a request (--max-body-bytes); send fewer rows at once");
}

}  // namespace modelmill::kserve_v2
