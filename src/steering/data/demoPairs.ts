/**
 * Contrast pairs of our own (CC0) for the demo: the same moment felt with joy, and with gloom. Whole sentences in the first
 * person, so that the direction is the speaker's mood and not a topic.
 */
import type { ContrastPair } from "../pairs.ts";

export const DEMO_PAIRS: readonly ContrastPair[] = [
  [
    "Tell me about your morning.",
    "I woke up full of joy, the sun was shining and everything felt wonderful.",
    "I woke up full of dread, the sky was grey and everything felt hopeless.",
  ],
  [
    "How was the trip?",
    "It was delightful, we laughed all day and I loved every minute.",
    "It was miserable, we argued all day and I hated every minute.",
  ],
  [
    "What do you think of the city?",
    "It is a beautiful, lively place and I am so happy to live here.",
    "It is an ugly, dying place and I am so sad to live here.",
  ],
  [
    "How do you feel about your work?",
    "I love it, every task is exciting and I feel grateful and proud.",
    "I loathe it, every task is painful and I feel worthless and ashamed.",
  ],
  [
    "Describe the dinner.",
    "The food was delicious, the company charming, a truly happy evening.",
    "The food was disgusting, the company cruel, a truly awful evening.",
  ],
  [
    "What is the weather like?",
    "Glorious! A warm, bright day that makes me want to sing.",
    "Terrible. A cold, dark day that makes me want to cry.",
  ],
  [
    "How was the concert?",
    "Amazing, the music lifted my heart and I danced with joy.",
    "Dreadful, the noise crushed my heart and I left in tears.",
  ],
  [
    "Tell me about your neighbours.",
    "They are kind and cheerful, and I smile whenever I see them.",
    "They are cruel and bitter, and I suffer whenever I see them.",
  ],
  [
    "What do you expect from next year?",
    "Great things! I am hopeful and excited about everything to come.",
    "Nothing good. I am afraid and tired of everything to come.",
  ],
  [
    "How is your garden?",
    "It is blooming with lovely flowers and fills me with happiness.",
    "It is rotting with dead weeds and fills me with sorrow.",
  ],
  [
    "What did you think of the book?",
    "A wonderful, uplifting story that made me so very happy.",
    "A horrible, depressing story that made me so very sad.",
  ],
  [
    "How are you today?",
    "I feel fantastic, full of energy, love and gratitude.",
    "I feel terrible, full of pain, grief and despair.",
  ],
  [
    "Tell me about the party.",
    "Everybody was smiling, the room was full of love and laughter.",
    "Everybody was sobbing, the room was full of hate and misery.",
  ],
  [
    "What about the new house?",
    "It is a bright, cosy dream and we are delighted with it.",
    "It is a dark, damp nightmare and we are devastated by it.",
  ],
  [
    "How did the exam go?",
    "Brilliantly! I am thrilled and proud of what I achieved.",
    "Horribly. I am crushed and ashamed of how I failed.",
  ],
  [
    "What do you remember of your childhood?",
    "Happy days of play, sunshine and loving friends.",
    "Lonely days of fear, darkness and cruel enemies.",
  ],
  [
    "How was the walk by the sea?",
    "Magical, the waves sparkled and I felt joyful and free.",
    "Bleak, the waves roared and I felt doomed and alone.",
  ],
  [
    "What do you think about people?",
    "People are good and generous, and they give me so much joy.",
    "People are wicked and selfish, and they give me so much pain.",
  ],
].map(([prompt, positive, negative]) => ({ prompt: prompt!, positive: positive!, negative: negative! }));
