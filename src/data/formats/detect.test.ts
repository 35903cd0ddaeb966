import { describe, expect, it } from 'vitest';
import { dataFiles } from '../../../test/support/data-files.ts';
import { faultOf } from '../../../test/support/faults.ts';
import { formatFault } from '../../base/index.ts';
import { detectFormat } from './detect.ts';

const { folder } = dataFiles();

describe('the format of a file', () => {
  it('is found for a document on one line and over many', () => {
    const document = { questions: [{ question_id: 1 }] };
    expect(detectFormat(folder.write('q.json', document))).toBe('vqa');
    expect(detectFormat(folder.write('q.json', JSON.stringify(document, null, 2)))).toBe('vqa');
  });

  it('is found behind a broken first line', () => {
    expect(detectFormat(folder.write('t.jsonl', 'oops\n{"text": "a"}'))).toBe('text');
  });

  it('is refused when unknown, with the nearest key', () => {
    const path = (content: unknown) => folder.write('x.json', content);
    const error = faultOf(() => detectFormat(path([{ conversatons: [] }])));
    expect(formatFault(error).replace(error.path ?? '', 'x.json')).toMatchInlineSnapshot(`
      "the format of the data file is not known [data/unknown-format]
        path:     x.json
        expected: 
          phrase-pairs       records {prompt, chosen, rejected, phrases, reference}
          halva              records {question, correct_answer_masked, hallucinated_answer_masked}
          rlhf-v             records {image, text}, the text being JSON of {question, chosen, rejected}
          rlaif-v            records {image, question, chosen, rejected}
          vlfeedback         records {prompt, models, completions: {response, annotations}}
          mdpo               records {img_path, prompt, chosen, rejected}
          preference         records {prompt, chosen, rejected}
          povid              records {image, conversations, rejected_conversations}
          llava              records {image, conversations: [{from, value}]}
          messages           records {messages: [{role, content}]}
          prompt-completion  records {prompt, completion}
          query-response     records {query, response} or {question, answer}
          alpaca             records {instruction, input, output}
          labelled           records {image, caption, labels: [{box, classes}]}
          image-folder       records {image, text}, or metadata.jsonl or metadata.csv with {file_name, text}; caption or description for text
          text               records {text}, or a .txt file with a text a line
          coco-captions      an object {images: [{id, file_name}], annotations: [{image_id, caption}]}
          vqa                an object {questions: [{question_id, image_id, question}]}
        got:      a first record with conversatons
        remedy:   did you mean conversations instead of conversatons?"
    `);
    expect(faultOf(() => detectFormat(path([{ question_id: 1, label: 'no', text: 'x' }]))).got).toBe('POPE questions');
    const answers = { annotations: [{ question_id: 1, answers: [] }] };
    expect(faultOf(() => detectFormat(path(answers))).remedy).toContain('give the questions file');
    expect(faultOf(() => detectFormat(path({ rows: [] }))).code).toBe('data/unknown-format');
    expect(faultOf(() => detectFormat(path('[]'))).code).toBe('data/empty');
    expect(faultOf(() => detectFormat(path(' \n'))).code).toBe('data/empty');
    expect(faultOf(() => detectFormat(folder.path('none.json'))).code).toBe('data/file');
    expect(faultOf(() => detectFormat(path('a,b\n1;2\n')))).toMatchObject({
      code: 'data/unknown-format',
      got: expect.stringContaining('no record that can be read; the first, '),
    });
  });
});
