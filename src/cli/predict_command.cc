#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "cli/answer_text.h"
#include "cli/commands.h"
#include "cli/model_info.h"
#include "cli/model_input.h"

namespace modelmill {
namespace {

const char* accepted_type(OutputFormat format) {
  switch (format) {
    case OutputFormat::kCsv: return "text/csv";
    case OutputFormat::kNpy: return "application/x-npy";
    default: return "application/json";
  }
}

Status write_output(const std::string& path, std::string_view bytes) {
  const bool standard = path == "-";
  const int fd = standard ? STDOUT_FILENO : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  int error = fd < 0 ? errno : 0;
  while (error == 0 && !bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) error = errno;
  }
  if (!standard && fd >= 0 && ::close(fd) != 0 && error == 0) error = errno;
  if (error == 0) return ok_status();
  return internal("output '" + path + "' cannot be written: " + std::strerror(error));
}

/// The name of the one model that was loaded from a path.
Result<std::string> loaded_model(ServerLink& link, const std::string& path) {
  MM_ASSIGN_OR_RETURN(const std::vector<IndexEntry> index, read_index(link));
  std::string name;
  std::string names;
  for (const IndexEntry& entry : index) {
    if (entry.name == name) continue;
    name = entry.name;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  if (names != name)
    return invalid_argument("'" + path + "' holds several models: " + names + "; give the path of one");
  return name;
}

struct Target {
  std::unique_ptr<ServerLink> link;
  std::string model;
};

Result<Target> find_target(const PredictCommand& command, const std::string& token) {
  Target target;
  if (!command.server.empty()) {
    MM_ASSIGN_OR_RETURN(target.link, connect_server(command.server, {command.timeout, command.ca, token}));
    target.model = command.model;
    return target;
  }
  std::error_code error;
  if (!std::filesystem::exists(command.model, error)) {
    return not_found("there is no file or folder '" + command.model +
                     "'; to ask a running server for the model of that name add --server http://127.0.0.1:8000");
  }
  ServerConfig config = command.config;
  config.paths = {command.model};
  config.instances = 1;
  config.state_directory.clear();
  MM_ASSIGN_OR_RETURN(target.link, load_models(config));
  MM_ASSIGN_OR_RETURN(target.model, loaded_model(*target.link, command.model));
  return target;
}

Result<std::string> predict(const PredictCommand& command, const std::string& token) {
  MM_ASSIGN_OR_RETURN(std::string input, read_input(command.input));
  const InputKind kind = input_kind(command.input, input);
  MM_ASSIGN_OR_RETURN(Target target, find_target(command, token));
  const std::string version = std::to_string(command.version);
  Signature signature;
  if (needs_signature(kind) || command.format == OutputFormat::kText) {
    MM_ASSIGN_OR_RETURN(ModelInfo info, read_metadata(*target.link, target.model, version));
    signature = std::move(info.signature);
  }
  MM_ASSIGN_OR_RETURN(PredictBody body, predict_body(kind, std::move(input), signature));
  if (!body.note.empty()) std::fprintf(stderr, "%s\n", body.note.c_str());
  MM_ASSIGN_OR_RETURN(
      std::string answer,
      body_of(target.link->call("POST", model_path("/predict", target.model, version),
                                {{"content-type", body.content_type}, {"accept", accepted_type(command.format)}},
                                std::move(body.bytes))));
  if (command.format == OutputFormat::kText) return answer_text(answer, signature.outputs);
  if (command.format == OutputFormat::kJson && !answer.ends_with('\n')) answer += '\n';
  return answer;
}

}  // namespace

ExitCode run(const PredictCommand& command) {
  Log::configure({LogLevel::kOff, LogFormat::kText, 2});  // what fails is told once, by the command
  if (command.format == OutputFormat::kNpy && command.output == "-" && ::isatty(STDOUT_FILENO)) {
    return fail("predict", invalid_argument(".npy is not for a terminal; add --output FILE"), ExitCode::kUsage);
  }
  if (!command.server.empty()) {
    if (const auto url = parse_base_url(command.server); !url.ok())
      return fail("predict", url.status(), ExitCode::kUsage);
  }
  const Result<std::string> token = client_token(command.token_file);
  if (!token.ok()) return fail("predict", token.status(), ExitCode::kUsage);
  const Result<std::string> answer = predict(command, *token);
  if (!answer.ok()) return fail("predict", answer.status(), exit_code_of(answer.status()));
  if (const Status status = write_output(command.output, *answer); !status.ok()) {
    return fail("predict", status, ExitCode::kFailure);
  }
  return ExitCode::kOk;
}

}  // namespace modelmill
