// Loading and unloading of models for a worker's code.

#include <vector>

#include "services.h"

namespace modelmill::python {
namespace {

mm_model_action action_of(ModelsAction action) {
  if (action == ModelsAction::kLoad) return MM_MODEL_LOAD;
  return action == ModelsAction::kUnload ? MM_MODEL_UNLOAD : MM_MODEL_UNLOAD_WITH_MEMBERS;
}

}  // namespace

/// A change under way. Deleted when it is over.
struct Services::Change {
  std::shared_ptr<Services> services;
  uint64_t id;
};

void Services::models(uint64_t id, FrameReader body) {
  const auto record = body.get<ModelsRecord>();
  const std::string model(body.text(record.model_size));
  const std::string_view config = body.text(record.config_size);
  const Named files = read_named(body, record.files);
  switch (static_cast<ModelsAction>(record.action)) {
    case ModelsAction::kLoad:
    case ModelsAction::kUnload:
    case ModelsAction::kUnloadWithMembers: change_model(id, record, model, config, files); break;
    case ModelsAction::kIsReady: {
      int32_t ready = 0;
      mm_error* const error = backend::host->model_ready(model_, model.c_str(), record.version, &ready);
      send_outcome(id, error, ready != 0);
      break;
    }
    default: throw ProtocolError("action " + std::to_string(record.action) + " on models");
  }
  let_go(record.block_region, record.block_offset);
}

void Services::change_model(uint64_t id, const ModelsRecord& record, const std::string& model, std::string_view config,
                            const Named& files) {
  std::vector<mm_model_file> given;
  for (size_t i = 0; i < files.tensors.size(); ++i) {
    if (files.tensors[i].dtype != MM_UINT8) throw ProtocolError("a file that is not of bytes");
    given.push_back({sizeof(mm_model_file), files.names[i].c_str(), files.tensors[i].data, files.tensors[i].size});
  }
  const std::string config_json(config);
  auto change = std::make_unique<Change>(Change{shared_from_this(), id});
  mm_change_model_args args{};
  args.struct_size = sizeof args;
  args.action = action_of(static_cast<ModelsAction>(record.action));
  args.model = model.c_str();
  args.config_json = config_json.c_str();
  args.files = given.data();
  args.file_count = static_cast<uint32_t>(given.size());
  args.context = change.get();
  args.on_changed = [](void* context, mm_error* error) {
    const std::unique_ptr<Change> over(static_cast<Change*>(context));
    over->services->send_outcome(over->id, error, false);
  };
  if (mm_error* error = backend::host->change_model(model_, &args); error != nullptr)
    return send_outcome(id, error, false);
  (void)change.release();
}

void Services::send_outcome(uint64_t id, mm_error* error, bool ready) {
  const mm_code code = error != nullptr ? backend::host->error_code(error) : MM_OK;
  const std::string text = error != nullptr ? backend::host->error_message(error) : "";
  if (error != nullptr) backend::host->error_free(error);
  FrameWriter writer(FrameType::kModelsResult, id);
  writer.put(ModelsResultRecord{static_cast<uint16_t>(code), ready, static_cast<uint32_t>(text.size())});
  writer.text(text);
  control_->send(writer.take());
}

}  // namespace modelmill::python
