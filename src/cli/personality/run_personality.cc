#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "cli/personality/personality.h"
#include "server/model_server.h"

namespace modelmill::personality {
namespace {

constexpr std::array<const Personality*, 5> kPersonalities = {&kTritonServer, &kTensorFlowModelServer, &kTorchServe,
                                                              &kMlserver, &kKserve};

/// KServe's runtimes, which share their command line, by the names of their programs.
constexpr std::array<std::string_view, 4> kKserveRuntimes = {"sklearnserver", "xgbserver", "lgbserver",
                                                             "predictiveserver"};

void print(FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

Status set_up_log(const LogSetup& log, LogFormat format) {
  int fd = STDERR_FILENO;
  if (!log.file.empty()) {
    fd = ::open(log.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return invalid_argument("the log file '" + log.file + "' can't be opened: " + std::strerror(errno));
  }
  Log::configure({log.debug ? LogLevel::kDebug : LogLevel::kInfo, format, fd});
  if (!log.info) Log::enable(LogLevel::kInfo, false);
  if (!log.warning) Log::enable(LogLevel::kWarning, false);
  if (!log.error) Log::enable(LogLevel::kError, false);
  return ok_status();
}

Status serve(const Launch& launch) {
  MM_RETURN_IF_ERROR(set_up_log(launch.log, launch.config.log_format));
  for (const Notice& notice : launch.notices)
    Log::warning(notice.event, {{"flag", notice.flag}, {"reason", notice.reason}});
  ModelServer server(launch.config);
  MM_RETURN_IF_ERROR(server.start());
  return server.run_until_signal();
}

int run(const Personality& /*personality*/, const Answer& answer) {
  print(answer.complaint ? stderr : stdout, answer.text);
  return answer.exit_code;
}

int run(const Personality& /*personality*/, const Errand& errand) { return errand.run(); }

int serve_as(const Personality& personality, const Launch& launch) {
  const Status status = serve(launch);
  if (status.ok()) return 0;
  const std::string prefix = personality.failure_prefix.empty() ? std::string(personality.name) + ": "
                                                                : std::string(personality.failure_prefix);
  print(personality.failure_on_stdout ? stdout : stderr, prefix + status.message() + "\n");
  return personality.failure;
}

int run(const Personality& personality, const Launch& launch) {
  const auto serve = [&] { return serve_as(personality, launch); };
  return launch.around ? launch.around(serve) : serve();
}

}  // namespace

const Personality* find_personality(std::string_view name) {
  for (const Personality* personality : kPersonalities)
    if (personality->name == name) return personality;
  if (std::find(kKserveRuntimes.begin(), kKserveRuntimes.end(), name) != kKserveRuntimes.end()) return &kKserve;
  return nullptr;
}

std::vector<std::string> personality_names() {
  std::vector<std::string> names;
  for (const Personality* personality : kPersonalities) names.emplace_back(personality->name);
  return names;
}

int run_personality(const Personality& personality, const std::vector<std::string>& arguments) {
  const Environment environment = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no thread has been started yet
    if (value == nullptr) return std::nullopt;
    return value;
  };
  return std::visit([&](const auto& outcome) { return run(personality, outcome); },
                    personality.parse(arguments, environment));
}

}  // namespace modelmill::personality
