#include <utility>

#include "backend/handles.h"
#include "backend/host_table.h"

namespace modelmill::host {
namespace {

Status read_files(const mm_change_model_args& args, ModelChange& out) {
  for (uint32_t i = 0; i < args.file_count; ++i) {
    const mm_model_file& file = args.files[i];
    if (file.struct_size < sizeof file || file.path == nullptr || (file.size > 0 && file.data == nullptr))
      return invalid_argument("file " + std::to_string(i) + " lacks its struct_size, path or data");
    const auto* data = static_cast<const char*>(file.data);
    out.files.insert_or_assign(file.path, file.size > 0 ? std::string(data, file.size) : std::string());
  }
  return ok_status();
}

Result<ModelChange::Action> action_of(mm_model_action action) {
  switch (action) {
    case MM_MODEL_LOAD: return ModelChange::Action::kLoad;
    case MM_MODEL_UNLOAD: return ModelChange::Action::kUnload;
    case MM_MODEL_UNLOAD_WITH_MEMBERS: return ModelChange::Action::kUnloadWithMembers;
  }
  return invalid_argument("action " + std::to_string(action) + " is neither to load nor to unload");
}

Status start_change(mm_host_model* caller, const mm_change_model_args& args) {
  if (!MM_HAS(&args, context) || args.model == nullptr || args.on_changed == nullptr)
    return invalid_argument("mm_change_model_args is too short, or lacks the model or on_changed");
  if (!caller->server.change_model) return unavailable("this server does not let backends load other models");
  ModelChange change;
  MM_ASSIGN_OR_RETURN(change.action, action_of(args.action));
  change.caller = caller->model;
  change.model = args.model;
  if (args.config_json != nullptr) change.config_json = args.config_json;
  MM_RETURN_IF_ERROR(read_files(args, change));
  caller->server.change_model(std::move(change), [on_changed = args.on_changed, context = args.context](
                                                     const Status& done) { on_changed(context, to_abi_error(done)); });
  return ok_status();
}

}  // namespace

mm_error* change_model(mm_host_model* caller, const mm_change_model_args* args) {
  return host_call([&]() -> Status { return start_change(caller, *args).with_context(caller->label()); });
}

mm_error* model_ready(mm_host_model* caller, const char* model, int64_t version, int32_t* ready) {
  return host_call([&]() -> Status {
    *ready = 0;
    if (model == nullptr || *model == '\0') return invalid_argument("model_ready needs a model's name");
    if (version < 0) return invalid_argument("version " + std::to_string(version) + " is below 0");
    if (!caller->server.model_ready) return unavailable("this server does not tell backends of other models");
    *ready = caller->server.model_ready(model, version) ? 1 : 0;
    return ok_status();
  });
}

}  // namespace modelmill::host
