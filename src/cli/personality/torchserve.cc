#include <utility>

#include "cli/personality/flag_reference.h"
#include "cli/personality/torchserve_draft.h"
#include "cli/personality/torchserve_process.h"
#include "server/version.h"

namespace modelmill::personality {
namespace {

constexpr char kName[] = "torchserve";
constexpr int kUsage = 2;  // of Python's argparse

Outcome parse(const std::vector<std::string>& arguments, const Environment& environment) {
  if (arguments.size() == 1 && arguments.front() == "--help-markdown")
    return Answer{0, flags_markdown(texts_of(torchserve_flags())), false};
  TorchServeDraft draft;
  std::vector<const TorchServeFlag*> ignored;
  if (const Status status = read_torchserve_line(arguments, draft, ignored); !status.ok())
    return Answer{kUsage,
                  "usage: torchserve [--start | --stop | --version] [--model-store FOLDER] [--models ...]\n"
                  "torchserve: error: " +
                      status.message() + "\nRun 'modelmill --as torchserve --help' for what there is.\n"};
  if (draft.help) return Answer{0, "usage: torchserve\n" + flags_usage(texts_of(torchserve_flags())), false};
  if (draft.version) return Answer{0, std::string("TorchServe Version is modelmill ") + server_version() + "\n", false};
  std::string pid_file = torchserve_pid_file(environment);
  if (draft.stop) return Errand{[pid_file, wait = draft.foreground] { return stop_torchserve(pid_file, wait); }};
  Result<Launch> launch = torchserve_launch(draft, environment);
  if (!launch.ok()) return Answer{1, launch.status().message() + "\n", false};
  for (const TorchServeFlag* flag : ignored) launch->notices.push_back(ignored_notice(kName, *flag));
  launch->around = [pid_file = std::move(pid_file), foreground = draft.foreground](const std::function<int()>& serve) {
    return start_torchserve(pid_file, foreground, serve);
  };
  return *std::move(launch);
}

}  // namespace

const Personality kTorchServe = {kName, parse, 1, "", false};

}  // namespace modelmill::personality
