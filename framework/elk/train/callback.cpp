#include <filesystem>

#include <elk/base/format.hpp>
#include <elk/io/atomic_file.hpp>
#include <elk/io/digest.hpp>
#include <elk/train/callback.hpp>
#include <elk/train/fit.hpp>

namespace elk::train {

EarlyStopping::EarlyStopping(std::int64_t patience) : patience_(patience) {
  if (patience < 1) fail<ValueError>("[early_stopping] patience must be at least 1, got {}", patience);
}

void EarlyStopping::begun(Fit& fit) {
  if (!fit.options().validation.defined())
    fail<ValueError>("[early_stopping] the fit has no validation data to judge by");
  if (fit.step() > 0) return;  // a run that goes on
  waited_ = 0;
  best_.clear();
}

void EarlyStopping::epoch_done(Fit& fit) {
  const HistoryRow& row = fit.result().history.back();
  if (row.diverged || !row.val_loss) return;
  if (best_.empty() || *row.val_loss < best_loss_) {
    best_ = fit.net().state();
    best_loss_ = *row.val_loss;
    waited_ = 0;
  } else if (++waited_ >= patience_) {
    fit.finish();
  }
}

void EarlyStopping::ended(Fit& fit) {
  if (fit.result().status == Status::finished && !best_.empty()) fit.net().load_state(best_);
}

State EarlyStopping::state() const {
  State state{{"waited", from(std::vector<std::int64_t>{waited_})},
              {"best_loss", from(std::vector<double>{best_loss_})}};
  for (const NamedTensor& item : best_) state.push_back({"best." + item.name, item.value});
  return state;
}

void EarlyStopping::load_state(const State& state) {
  if (state.size() < 2 || state[0].name != "waited" || state[0].value.dtype() != i64 ||
      state[0].value.size() != 1 || state[1].name != "best_loss" || state[1].value.dtype() != f64 ||
      state[1].value.size() != 1)
    fail<ValueError>("[early_stopping] expected its \"waited\" and \"best_loss\"");
  const std::int64_t waited = state[0].value.data<std::int64_t>()[0];
  if (waited < 0 || waited > std::int64_t{1} << 62)  // it is counted up
    fail<ValueError>("[early_stopping] \"waited\" must be from 0 to 2^62, got {}", waited);
  constexpr std::string_view prefix = "best.";
  for (auto item = state.begin() + 2; item != state.end(); ++item)
    if (!item->name.starts_with(prefix))
      fail<ValueError>("[early_stopping] expected \"best.\" and a weight's name, found \"{}\"", item->name);
  State best;
  for (auto item = state.begin() + 2; item != state.end(); ++item)
    best.push_back({item->name.substr(prefix.size()), item->value});
  waited_ = waited;
  best_loss_ = state[1].value.item();
  best_ = std::move(best);
}

void ReduceLROnPlateau::begun(Fit& fit) {
  if (fit.options().schedule)
    fail<ValueError>("[reduce_lr_on_plateau] the fit has a schedule, which sets the rate before every step");
  if (plateau_.options().larger_is_better && !fit.options().validation.defined())
    fail<ValueError>("[reduce_lr_on_plateau] the fit has no validation data whose accuracy could grow");
}

void ReduceLROnPlateau::epoch_done(Fit& fit) {
  const HistoryRow& row = fit.result().history.back();
  if (row.diverged) return;
  const auto measure = plateau_.options().larger_is_better ? row.val_accuracy
                       : row.val_loss                      ? row.val_loss
                                                           : row.train_loss;
  if (measure) plateau_.step(*measure);
}

Checkpoint::Checkpoint(std::string path, Metadata about) : path_(std::move(path)), about_(std::move(about)) {}

void Checkpoint::begun(Fit& fit) {
  if (std::filesystem::exists(path_))
    fit.load(path_);
  else
    fit.save(path_, about_);
}

void Checkpoint::epoch_done(Fit& fit) { fit.save(path_, about_); }

// Not when it is over: another callback may have put the best weights in the place of the last.
void Checkpoint::ended(Fit& fit) {
  if (fit.result().status == Status::stopped) fit.save(path_, about_);
}

void HistoryFile::write(const Fit& fit) const {
  std::string lines;
  for (const HistoryRow& row : fit.result().history) lines += with_digest(to_jsonl({row}));
  write_file_atomically(path_, lines);
}

}  // namespace elk::train
