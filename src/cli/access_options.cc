#include "cli/access_options.h"

#include <CLI/Error.hpp>
#include <string>
#include <vector>

namespace modelmill {
namespace {

/// Calls `take` with each value of a repeatable option; its error is the command line's.
template <typename Take>
CLI::Option* add_repeated(CLI::App& app, const std::string& name, const std::string& description, Take take) {
  return app
      .add_option_function<std::vector<std::string>>(
          name,
          [name, take](const std::vector<std::string>& texts) {
            for (const std::string& text : texts)
              if (const Status status = take(text); !status.ok()) throw CLI::ValidationError(name, status.message());
          },
          description)
      ->allow_extra_args(false);
}

/// WHAT=NAME.
Status set_sequence_key(const std::string& text, torchserve::SequenceNames& names) {
  const size_t equals = text.find('=');
  const std::string what = text.substr(0, equals);
  std::string* const name = what == "id"      ? &names.id
                            : what == "start" ? &names.start
                            : what == "end"   ? &names.end
                                              : nullptr;
  if (name == nullptr || equals == std::string::npos || equals + 1 == text.size())
    return invalid_argument("'" + text + "' must be id=NAME, start=NAME or end=NAME");
  *name = text.substr(equals + 1);
  return ok_status();
}

constexpr char kAccessGroup[] = "Access";

void define_client_limits(CLI::App& app, AccessConfig& access) {
  app.add_option_function<std::string>(
         "--client-rate",
         [&access](const std::string& text) {
           const Result<double> rate = parse_client_rate(text);
           if (!rate.ok()) throw CLI::ValidationError("--client-rate", rate.status().message());
           access.client_rate = *rate;
         },
         "Inference requests a second of each client, or N/m, or N/h; more answer 429")
      ->type_name("N[/s]")
      ->group(kAccessGroup);
  app.add_option("--client-burst", access.client_burst, "That may come at once; 0: those of one second")
      ->type_name("N")
      ->group(kAccessGroup);
  app.add_option("--client-concurrency", access.client_concurrency,
                 "Inference requests that each client may have in flight; 0: any number")
      ->type_name("N")
      ->group(kAccessGroup);
}

}  // namespace

void define_access_options(CLI::App& app, OptionSet& options, ServerConfig& config) {
  AccessConfig& access = config.access;
  add_repeated(app, "--api",
               "Who may call a group (inference, health, metadata, metrics, management): open, off, token, or "
               "header:NAME=VALUE; may be repeated [open; beyond this machine management needs a token]",
               [&access](const std::string& text) { return add_api_rule(text, access); })
      ->type_name("GROUP=RULE")
      ->group(kAccessGroup);
  options
      .takes_file(app.add_option("--token-file", access.token_file,
                                 "Bearer tokens, a line each: TOKEN, NAME TOKEN, or NAME TOKEN GROUP,GROUP; read again "
                                 "when it changes"))
      ->type_name("FILE")
      ->group(kAccessGroup);
  options
      .takes_file(app.add_option("--torchserve-key-file", access.key_file,
                                 "Calls need keys, as with TorchServe's token authorization, which are made at the "
                                 "start and written to this file, key_file.json there"))
      ->type_name("FILE")
      ->group(kAccessGroup);
  app.add_option("--torchserve-key-minutes", access.key_minutes,
                 "How long its keys for inference and management last; /token makes new ones [60]")
      ->type_name("N")
      ->group(kAccessGroup);
  add_repeated(app, "--torchserve-sequence-key",
               "What TorchServe's clients say id, start or end of a sequence by; may be repeated "
               "[ts_request_sequence_id and its like]",
               [&config](const std::string& text) { return set_sequence_key(text, config.torchserve_sequence_names); })
      ->type_name("WHAT=NAME")
      ->group(kAccessGroup);
  add_repeated(app, "--cors-origin", "Pages of this origin may call, * for all; may be repeated",
               [&access](const std::string& text) {
                 access.cors_origins.push_back(text);
                 return ok_status();
               })
      ->type_name("ORIGIN")
      ->group(kAccessGroup);
  app.add_option("--allow-client-shm", config.shared_memory_keys,
                 "Shared memory that clients may register for their tensors: keys that begin so, such as /ml_, or / "
                 "for all; may be repeated")
      ->type_name("PREFIX")
      ->allow_extra_args(false)
      ->group(kAccessGroup);
  define_client_limits(app, access);
}

}  // namespace modelmill
