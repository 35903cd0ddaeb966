/** Where a key of another tool goes here, or why it has no place. */
export type Alias =
  | { readonly to: readonly string[]; readonly values?: Readonly<Record<string, string>> }
  | { readonly no: string };

/** Key names that users of LlamaFactory, TRL and the Hugging Face trainer write at the top of a configuration. */
export const aliases: Readonly<Record<string, Alias>> = {
  model_name_or_path: { to: ['model', 'from'] },
  output_dir: { to: ['output', 'folder'] },
  seed: { to: ['train', 'seed'] },
  learning_rate: { to: ['train', 'lr'] },
  per_device_train_batch_size: { to: ['train', 'batch'] },
  gradient_accumulation_steps: { to: ['train', 'accumulate'] },
  num_train_epochs: { to: ['train', 'epochs'] },
  max_steps: { to: ['train', 'steps'] },
  cutoff_len: { to: ['train', 'max_length'] },
  max_length: { to: ['train', 'max_length'] },
  model_max_length: { to: ['train', 'max_length'] },
  lr_scheduler_type: { to: ['train', 'schedule'], values: { constant_with_warmup: 'constant' } },
  warmup_ratio: { to: ['train', 'warmup_ratio'] },
  weight_decay: { to: ['train', 'weight_decay'] },
  max_grad_norm: { to: ['train', 'clip'] },
  adam_epsilon: { to: ['train', 'eps'] },
  save_steps: { to: ['train', 'save_every'] },
  eval_steps: { to: ['train', 'eval_every'] },
  logging_steps: { to: ['train', 'log_every'] },
  gradient_checkpointing: { to: ['train', 'recompute'] },
  lora_r: { to: ['lora', 'r'] },
  lora_rank: { to: ['lora', 'r'] },
  lora_alpha: { to: ['lora', 'alpha'] },
  lora_dropout: { to: ['lora', 'dropout'] },
  use_rslora: { to: ['lora', 'use_rslora'] },
  use_dora: { to: ['lora', 'use_dora'] },
  lora_target: { to: ['lora', 'targets'], values: { all: 'all-linear' } },
  additional_target: { to: ['lora', 'plus'] },
  stage: { no: 'name the objective of each entry of stages' },
  finetuning_type: { no: 'full training is the default; add lora: { r: 8 } for adapters' },
  dataset: { no: 'list the sources under data of a stage' },
  bf16: { no: 'training computes in float32; output.dtype=bfloat16 saves in bfloat16' },
  fp16: { no: 'training computes in float32; output.dtype=float16 saves in float16' },
  resume_from_checkpoint: { no: 'use `tessera resume <run>`' },
  report_to: { no: 'a run always writes metrics.jsonl' },
  warmup_steps: { no: 'give train.warmup_ratio, a share of the steps' },
};
