#include <charconv>
#include <filesystem>
#include <fstream>

#include "model.h"

namespace modelmill::tensorflow {
namespace {

using backend::Error;

/// For an error: the tags that could be asked for, or empty when that can't be told.
std::string tags_text(const std::string& directory) {
  constexpr uintmax_t kMost = uintmax_t{1} << 30;
  const std::filesystem::path file = std::filesystem::path(directory) / "saved_model.pb";
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(file, error);
  if (error || size > kMost) return {};
  std::string bytes(size, '\0');
  std::ifstream in(file, std::ios::binary);
  if (!in.read(bytes.data(), static_cast<std::streamsize>(size))) return {};
  std::string out;
  for (const std::string& tags : read_tag_sets(bytes)) out += (out.empty() ? "'" : ", '") + tags + "'";
  return out;
}

}  // namespace

Session::Session(const std::string& directory, const Options& options, std::string* meta_graph)
    : graph_(api.NewGraph()) {
  const Status status;
  const Handle<TF_SessionOptions> session_options(api.NewSessionOptions());
  const std::string config = options.config_proto();
  api.SetConfig(session_options.get(), config.data(), config.size(), status.get());
  status.check("session options");
  std::vector<const char*> tags;
  for (const std::string& tag : options.tags) tags.push_back(tag.c_str());
  const Handle<TF_Buffer> buffer(api.NewBuffer());
  session_ = api.LoadSessionFromSavedModel(session_options.get(), nullptr, directory.c_str(), tags.data(),
                                           static_cast<int>(tags.size()), graph_.get(), buffer.get(), status.get());
  if (!status.ok()) {
    std::string context = "folder '" + directory + "' can't be loaded";
    const std::string there = tags_text(directory);
    if (!there.empty() && there.find("'" + joined(options.tags) + "'") == std::string::npos)
      context += ": it has no graph tagged '" + joined(options.tags) + "', but " + there +
                 "; name one with the parameter TF_GRAPH_TAG";
    status.check(context);
  }
  meta_graph->assign(static_cast<const char*>(buffer->data), buffer->length);
}

Session::~Session() {
  if (session_ == nullptr) return;
  const Status status;
  api.CloseSession(session_, status.get());
  api.DeleteSession(session_, status.get());
}

TF_Output Session::find(const std::string& tensor) const {
  const size_t colon = tensor.rfind(':');
  const std::string name = tensor.substr(0, colon);
  int index = 0;
  bool good = true;
  if (colon != std::string::npos) {
    const char* const end = tensor.data() + tensor.size();
    const auto [at, error] = std::from_chars(tensor.data() + colon + 1, end, index);
    good = error == std::errc() && at == end;
  }
  TF_Operation* const operation = api.GraphOperationByName(graph_.get(), name.c_str());
  if (!good || operation == nullptr || index < 0 || index >= api.OperationNumOutputs(operation))
    throw Error(MM_INVALID_ARGUMENT, "its signature names the tensor '" + tensor + "', which its graph does not have");
  return {operation, index};
}

void Session::run(const std::vector<std::string>& operations) const {
  std::vector<const TF_Operation*> targets;
  for (const std::string& name : operations) {
    const TF_Operation* const operation = api.GraphOperationByName(graph_.get(), name.c_str());
    if (operation == nullptr) throw Error(MM_INVALID_ARGUMENT, "its graph has no operation '" + name + "'");
    targets.push_back(operation);
  }
  const Status status;
  api.SessionRun(session_, nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0, targets.data(),
                 static_cast<int>(targets.size()), nullptr, status.get());
  status.check("operations of initialisation");
}

}  // namespace modelmill::tensorflow
