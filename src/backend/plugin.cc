#include "backend/plugin.h"

#include <dlfcn.h>

#include <filesystem>

#include "backend/host_table.h"

namespace modelmill {
namespace {

Status check_table(const mm_backend* table, const std::string& name) {
  if (table == nullptr)
    return failed_precondition("it can't work with this server (backend ABI " + std::to_string(MM_ABI_MAJOR) + "." +
                               std::to_string(MM_ABI_MINOR) + ")");
  if (table->struct_size < offsetof(mm_backend, name) || table->abi_major != MM_ABI_MAJOR)
    return failed_precondition("it was built for backend ABI " + std::to_string(table->abi_major) +
                               ", this server has " + std::to_string(MM_ABI_MAJOR) +
                               ": build it again with this server's headers");
  if (!MM_HAS(table, execute)) return failed_precondition("its table of functions is too short");
  if (table->name == nullptr || name != table->name)
    return failed_precondition("it calls itself '" + std::string(table->name != nullptr ? table->name : "") +
                               "', but its file name says '" + name + "'");
  if (table->model_load == nullptr || table->model_info == nullptr || table->model_unload == nullptr ||
      table->instance_create == nullptr || table->instance_destroy == nullptr || table->execute == nullptr ||
      table->initialize == nullptr || table->runtime_info == nullptr)
    return failed_precondition("its table lacks a function");
  return ok_status();
}

}  // namespace

Result<std::shared_ptr<Plugin>> Plugin::open(const std::string& path, const std::string& name) {
  const std::string label = "backend '" + name + "' (" + path + ")";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return failed_precondition(label + " can't be opened: " + dlerror());
  auto* entry = reinterpret_cast<mm_backend_entry_fn>(dlsym(library, "mm_backend_entry"));
  if (entry == nullptr)
    return failed_precondition(label + " does not export mm_backend_entry: it is not a modelmill backend");
  const mm_backend* table = nullptr;
  try {
    table = entry(&backend_host_table());
  } catch (...) {
    return failed_precondition(label + " let an exception escape from mm_backend_entry");
  }
  MM_RETURN_IF_ERROR(check_table(table, name).with_context(label));
  return std::shared_ptr<Plugin>(new Plugin(name, path, table));
}

Status Plugin::initialize(const std::string& settings) {
  MutexLock lock(mutex_);
  if (initialized_) return initialize_status_;
  initialized_ = true;
  const std::string directory = std::filesystem::path(path_).parent_path().string();
  mm_initialize_args args{};
  args.struct_size = sizeof args;
  args.config_json = settings.empty() ? "{}" : settings.c_str();
  args.library_dir = directory.c_str();
  initialize_status_ = call([&] { return table_->initialize(&args); }).with_context("backend '" + name_ + "'");
  if (initialize_status_.ok()) state_ = args.state;
  return initialize_status_;
}

Status Plugin::take_error(mm_error* error) {
  Status status = std::move(error->status);
  delete error;
  return status;
}

}  // namespace modelmill
